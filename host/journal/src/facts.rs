//! Small durable values by name, such as a live release's commit or an analyzer's checkpoint, and fence counters.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::{Journal, JournalError, unsigned};

impl Journal {
    /// The value of a fact.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn get_fact(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT value FROM facts WHERE name = ?1")?
                .query_row([name], |row| row.get(0))
                .optional()
        })
    }

    /// The facts whose names begin so, by name.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn facts(&self, start: &str) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        self.read(|connection| {
            let sql = "SELECT name, value FROM facts WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name";
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map([start], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    /// Sets a fact.
    ///
    /// # Errors
    /// When it cannot be written; the value before stays then.
    pub fn put_fact(&self, name: &str, value: &[u8]) -> Result<(), JournalError> {
        self.put_many(&[(name, value)])
    }

    /// Sets several facts, all or none.
    ///
    /// # Errors
    /// When they cannot be written; the values before stay then.
    pub fn put_many(&self, facts: &[(&str, &[u8])]) -> Result<(), JournalError> {
        self.put_in_place_of(facts, &[])
    }

    /// Sets several facts and removes others, all or none.
    ///
    /// # Errors
    /// When that cannot be written; all stays as it was then.
    pub fn put_in_place_of(&self, facts: &[(&str, &[u8])], removed: &[&str]) -> Result<(), JournalError> {
        self.write(|transaction| {
            for (name, value) in facts {
                put(transaction, name, value).map_err(|error| self.fault(error))?;
            }
            for name in removed {
                let deleted = transaction.execute("DELETE FROM facts WHERE name = ?1", [name]);
                deleted.map_err(|error| self.fault(error))?;
            }
            Ok(())
        })
    }

    /// A number greater than every one given under this name before, by any process, from 1.
    ///
    /// # Errors
    /// When it cannot be written; no number was given then.
    pub fn next_fence(&self, name: &str) -> Result<u64, JournalError> {
        self.write(|transaction| {
            let sql = "INSERT INTO fences (name, value) VALUES (?1, 1)
                ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value";
            transaction.query_row(sql, [name], |row| row.get(0)).map(unsigned).map_err(|error| self.fault(error))
        })
    }
}

pub(crate) fn put(transaction: &Transaction<'_>, name: &str, value: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO facts (name, value) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    transaction.prepare_cached(sql)?.execute(params![name, value]).map(drop)
}
