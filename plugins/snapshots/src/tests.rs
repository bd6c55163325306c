use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{Cursor, Read},
};

use super::*;

/// A database of one value, and what is around it.
#[derive(Default)]
struct Shop {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    database: String,
    files: BTreeMap<String, String>,
    kept: BTreeMap<String, Vec<u8>>,
    /// The commands that were run, in order.
    ran: Vec<String>,
    /// How many snapshots were taken: each file has the number of its own, as archives have the time.
    taken: u32,
    /// What a command is to end with, once.
    ends: Option<(i32, &'static str)>,
    now: i64,
}

impl World for &Shop {
    fn run(&self, name: &str, fills: &[(String, String)]) -> Result<Completed> {
        let mut state = self.state.borrow_mut();
        state.ran.push(name.to_owned());
        if let Some((status, stderr)) = state.ends.take() {
            return Ok(Completed { status, stdout: String::new(), stderr: stderr.into() });
        }
        let snapshot = &fills.iter().find(|(name, _)| name == "snapshot").unwrap().1;
        let file = format!("/snapshots/{snapshot}.db");
        match name {
            "shop-snapshot" => {
                state.taken += 1;
                let copy = format!("SHOP{:03}{}", state.taken, state.database);
                state.files.insert(file, copy);
            }
            "shop-restore" => state.database = state.files[&file][7..].to_owned(),
            "shop-check" => {
                let stdout = if state.files[&file].contains("rotten") { "page 7 is rotten" } else { "ok" };
                return Ok(Completed { status: 0, stdout: stdout.into(), stderr: String::new() });
            }
            other => panic!("{other}"),
        }
        Ok(Completed { status: 0, stdout: String::new(), stderr: String::new() })
    }

    fn kept(&self, environment: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.state.borrow().kept.get(environment).cloned())
    }

    fn keep(&self, environment: &str, bytes: &[u8]) -> Result<()> {
        self.state.borrow_mut().kept.insert(environment.into(), bytes.into());
        Ok(())
    }

    fn look(&self, file: &str, first: usize) -> Result<Option<(u64, Vec<u8>)>> {
        let found = self.state.borrow().files.get(file).cloned();
        Ok(found.map(|text| (text.len() as u64, text.bytes().take(first).collect())))
    }

    fn open(&self, file: &str) -> Result<impl Read> {
        Ok(Cursor::new(self.state.borrow().files[file].clone()))
    }

    fn remove(&self, file: &str) -> Result<()> {
        self.state.borrow_mut().files.remove(file);
        Ok(())
    }

    fn now(&self) -> Result<i64> {
        let mut state = self.state.borrow_mut();
        state.now += 1;
        Ok(state.now)
    }
}

const KIND: Kind = Kind {
    prefix: "shop",
    suffix: ".db",
    magic: b"SHOP",
    dated: |_| 4..7,
    empty: |head| head.ends_with(b"nothing").then_some("there is nothing in it"),
    fault: |completed| (completed.stdout != "ok").then(|| said(completed)),
    passes: |stderr| stderr.contains("locked"),
};

fn guard(shop: &Shop) -> Guard<&Shop> {
    Guard::new(KIND, shop)
}

fn write(shop: &Shop, text: &str) {
    shop.state.borrow_mut().database = text.into();
}

fn ran(shop: &Shop, name: &str) -> usize {
    shop.state.borrow().ran.iter().filter(|ran| *ran == name).count()
}

#[test]
fn what_was_there_is_there_again_and_each_key_has_one_effect() {
    let shop = Shop::default();
    write(&shop, "orders");
    let taken = guard(&shop).snapshot("production", "r1/snapshot").unwrap();
    write(&shop, "nothing");
    assert_eq!(guard(&shop).snapshot("production", "r1/snapshot").unwrap(), taken, "the same key takes no other");
    assert_eq!(ran(&shop, "shop-snapshot"), 1);
    assert_eq!((taken.bytes, guard(&shop).verify("production", &taken.id).unwrap()), (13, None));
    guard(&shop).restore("production", "r1/restore", 7, &taken.id).unwrap();
    assert_eq!(shop.state.borrow().database, "orders");
    write(&shop, "newer");
    guard(&shop).restore("production", "r1/restore", 7, &taken.id).unwrap();
    assert_eq!(shop.state.borrow().database, "newer", "the same key goes back once");
}

#[test]
fn what_was_written_since_is_told_and_leaves_no_snapshot_behind() {
    let shop = Shop::default();
    write(&shop, "orders");
    let taken = guard(&shop).snapshot("production", "a").unwrap();
    let changed = || guard(&shop).changed("production", &taken.id).unwrap();
    assert_eq!(changed(), None, "when a snapshot was taken is no change");
    write(&shop, "orders and more");
    assert_eq!(changed().unwrap(), "it has 13 bytes, and one that is taken now has 22");
    write(&shop, "others");
    assert_eq!(changed().unwrap(), "one that is taken now has as many bytes, and others from byte 8 on");
    write(&shop, "orders");
    assert_eq!(changed(), None);
    assert_eq!(shop.state.borrow().files.len(), 1);
    assert_eq!(guard(&shop).list("production").unwrap(), [taken]);
}

#[test]
fn whether_it_changed_is_an_error_where_it_cannot_be_told() {
    let shop = Shop::default();
    let taken = guard(&shop).snapshot("production", "a").unwrap();
    let error = guard(&shop).changed("production", "b").unwrap_err();
    assert_eq!(error, Error::failure("no snapshot b of production is kept"));
    shop.state.borrow_mut().ends = Some((5, "database is locked"));
    assert!(
        matches!(guard(&shop).changed("production", &taken.id), Err(Error::Unavailable(_))),
        "it may be tried again"
    );
    shop.state.borrow_mut().files.clear();
    let error = guard(&shop).changed("production", &taken.id).unwrap_err();
    assert!(error.message().ends_with("is not there"), "{}", error.message());
    assert!(shop.state.borrow().files.is_empty());
}

#[test]
fn a_host_that_woke_up_goes_back_to_nothing() {
    let shop = Shop::default();
    let taken = guard(&shop).snapshot("production", "a").unwrap();
    guard(&shop).restore("production", "new", 9, &taken.id).unwrap();
    let Err(Error::Denied(info)) = guard(&shop).restore("production", "old", 8, &taken.id) else { panic!("taken") };
    assert!(info.message.contains("fence 8 is below 9"), "{}", info.message);
    guard(&shop).restore("production", "next", 9, &taken.id).unwrap();
}

#[test]
fn what_is_not_whole_is_said_and_is_not_gone_back_to() {
    let shop = Shop::default();
    write(&shop, "orders");
    let taken = guard(&shop).snapshot("production", "a").unwrap();
    let file = format!("/snapshots/{}.db", taken.id);
    for (text, fault) in [
        (Some("SHOP001ord"), "has 10 bytes, and had 13"),
        (Some("shop001orders"), "does not begin as one does"),
        (Some("SHOP001rotten"), "page 7 is rotten"),
        (Some("SHOP01nothing"), "there is nothing in it"),
        (None, "is gone"),
    ] {
        let mut state = shop.state.borrow_mut();
        match text {
            Some(text) => state.files.insert(file.clone(), text.into()),
            None => state.files.remove(&file),
        };
        drop(state);
        let said = guard(&shop).verify("production", &taken.id).unwrap().unwrap();
        assert!(said.contains(fault), "{said}");
        let error = guard(&shop).restore("production", "r", 1, &taken.id).unwrap_err();
        assert!(
            error.message().contains("is not gone back to") && error.message().contains(fault),
            "{}",
            error.message()
        );
    }
    assert_eq!(ran(&shop, "shop-restore"), 0);
    assert!(guard(&shop).verify("staging", &taken.id).unwrap().unwrap().contains("of staging is kept"));
}

#[test]
fn a_command_that_fails_is_told_and_leaves_nothing_behind() {
    let shop = Shop::default();
    shop.state.borrow_mut().ends = Some((1, "Error: no such\n table"));
    let error = guard(&shop).snapshot("production", "a").unwrap_err();
    assert_eq!(error, Error::failure("the command `shop-snapshot` ended with 1: Error: no such table"));
    shop.state.borrow_mut().ends = Some((5, "database is locked"));
    assert!(matches!(guard(&shop).snapshot("production", "a"), Err(Error::Unavailable(_))), "it may be tried again");
    shop.state.borrow_mut().ends = Some((0, ""));
    let error = guard(&shop).snapshot("production", "a").unwrap_err();
    assert!(error.message().contains("is not there; let its `argv` write"), "{}", error.message());
    assert_eq!(guard(&shop).list("production").unwrap(), []);
    let taken = guard(&shop).snapshot("production", "a").unwrap();
    shop.state.borrow_mut().ends = Some((2, ""));
    let said = guard(&shop).verify("production", &taken.id).unwrap().unwrap();
    assert_eq!(said, "the command `shop-check` ended with 2: it said nothing");
}

#[test]
fn what_is_forgotten_is_gone_with_its_file_and_no_other_is() {
    let shop = Shop::default();
    let ids: Vec<String> = ["a", "b", "c"].map(|key| guard(&shop).snapshot("production", key).unwrap().id).into();
    let other = guard(&shop).snapshot("staging", "a").unwrap().id;
    guard(&shop).forget("production", &ids[1]).unwrap();
    guard(&shop).forget("production", &ids[1]).unwrap();
    guard(&shop).forget("production", &other).unwrap();
    let left: Vec<String> = guard(&shop).list("production").unwrap().into_iter().map(|info| info.id).collect();
    assert_eq!(left, [ids[0].clone(), ids[2].clone()]);
    assert_eq!(shop.state.borrow().files.len(), 3);
    assert_eq!(guard(&shop).list("staging").unwrap().len(), 1);
}
