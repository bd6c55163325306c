//! The numbers that lines were given, put aside on disk: four bytes a line, which no memory has room for where a log is long enough.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, Write},
};

/// Bytes of a number.
const NUMBER_BYTES: usize = size_of::<u32>();

/// Numbers in order.
#[derive(Debug)]
pub struct Given(BufWriter<File>);

impl Given {
    /// None yet. The file has no name, and is gone with this process.
    pub fn new() -> io::Result<Self> {
        Ok(Self(BufWriter::new(tempfile::tempfile()?)))
    }

    /// Adds numbers.
    pub fn add(&mut self, numbers: &[u32]) -> io::Result<()> {
        numbers.iter().try_for_each(|number| self.0.write_all(&number.to_le_bytes()))
    }

    /// Gives each number in order.
    pub fn each(&mut self, mut tell: impl FnMut(u32) -> io::Result<()>) -> io::Result<()> {
        self.0.flush()?;
        let mut file = self.0.get_ref();
        file.rewind()?;
        let mut reader = BufReader::new(file);
        let mut number = [0; NUMBER_BYTES];
        loop {
            match reader.read_exact(&mut number) {
                Ok(()) => tell(u32::from_le_bytes(number))?,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Puts another in the place of each number.
    pub fn change(&mut self, to: impl Fn(u32) -> u32) -> io::Result<()> {
        let mut changed = Self::new()?;
        self.each(|number| changed.add(&[to(number)]))?;
        *self = changed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(given: &mut Given) -> Vec<u32> {
        let mut numbers = Vec::new();
        given
            .each(|number| {
                numbers.push(number);
                Ok(())
            })
            .unwrap();
        numbers
    }

    #[test]
    fn numbers_come_back_in_order_also_when_more_are_added_and_when_they_are_changed() {
        let mut given = Given::new().unwrap();
        assert_eq!(all(&mut given), Vec::<u32>::new());
        given.add(&[1, u32::MAX]).unwrap();
        assert_eq!(all(&mut given), [1, u32::MAX]);
        given.add(&(0..10_000).collect::<Vec<_>>()).unwrap();
        given.change(|number| number / 2).unwrap();
        given.add(&[7]).unwrap();
        let numbers = all(&mut given);
        assert_eq!((numbers.len(), &numbers[..4], numbers.last()), (10_003, &[0, u32::MAX / 2, 0, 0][..], Some(&7)));
    }

    #[test]
    fn what_cannot_be_read_back_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut given = Given(BufWriter::new(File::create(folder.path().join("only-written-to")).unwrap()));
        given.add(&[1]).unwrap();
        given.each(|_| Ok(())).unwrap_err();
    }
}
