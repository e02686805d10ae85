//! JSON by the grammar of RFC 8259, to compare with: says what a text is, and builds nothing.

use std::ops::Range;

/// Deeper is not read: the limits that are compared with are lower.
const DEPTH_MAX: usize = 200;

/// A value in a text.
#[derive(Debug)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// Where it stands, without the white space around it.
    pub range: Range<usize>,
    /// How deep arrays and objects nest in it, itself included.
    pub depth: usize,
}

/// What a value is.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// An array, and where its elements stand.
    Array(Vec<Range<usize>>),
    /// An object.
    Object,
    /// A string; escapes of half a character are syntax too.
    String,
    /// A number of any size.
    Number,
    /// `true`, `false` or `null`.
    Word,
}

/// The one value of a text; `None` where it is not JSON.
pub fn read(text: &str) -> Option<Value> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    reader.skip_space();
    let value = reader.value(1)?;
    reader.skip_space();
    (reader.at == text.len()).then_some(value)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, level: usize) -> Option<Value> {
        let start = self.at;
        let (kind, depth) = match self.peek()? {
            b'[' => self.array(level)?,
            b'{' => (Kind::Object, self.object(level)?),
            b'"' => (self.string()?, 0),
            b'-' | b'0'..=b'9' => (self.number()?, 0),
            _ => (self.word()?, 0),
        };
        Some(Value { kind, range: start..self.at, depth })
    }

    fn array(&mut self, level: usize) -> Option<(Kind, usize)> {
        let (mut elements, mut depth) = (Vec::new(), 0);
        self.row(b']', level, |reader| {
            let element = reader.value(level + 1)?;
            depth = depth.max(element.depth);
            elements.push(element.range);
            Some(())
        })?;
        Some((Kind::Array(elements), depth + 1))
    }

    fn object(&mut self, level: usize) -> Option<usize> {
        let mut depth = 0;
        self.row(b'}', level, |reader| {
            reader.string()?;
            reader.skip_space();
            reader.take(b':')?;
            reader.skip_space();
            depth = depth.max(reader.value(level + 1)?.depth);
            Some(())
        })?;
        Some(depth + 1)
    }

    /// Things between commas, after the opening bracket and up to the closing one.
    fn row(&mut self, end: u8, level: usize, mut one: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if level > DEPTH_MAX {
            return None;
        }
        self.at += 1;
        self.skip_space();
        if self.take(end).is_some() {
            return Some(());
        }
        loop {
            one(self)?;
            self.skip_space();
            if self.take(end).is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.skip_space();
        }
    }

    fn string(&mut self) -> Option<Kind> {
        self.take(b'"')?;
        loop {
            match self.next()? {
                b'"' => return Some(Kind::String),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        for _ in 0..4 {
                            self.next().filter(u8::is_ascii_hexdigit)?;
                        }
                    }
                    _ => return None,
                },
                0..0x20 => return None,
                _ => {}
            }
        }
    }

    fn number(&mut self) -> Option<Kind> {
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if self.take(b'e').or_else(|| self.take(b'E')).is_some() {
            let _ = self.take(b'+').or_else(|| self.take(b'-'));
            self.digits()?;
        }
        Some(Kind::Number)
    }

    fn digits(&mut self) -> Option<()> {
        let digits = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        (digits > 0).then_some(())
    }

    fn word(&mut self) -> Option<Kind> {
        let word = ["true", "false", "null"]
            .iter()
            .find(|word| self.bytes[self.at..].starts_with(word.as_bytes()))?;
        self.at += word.len();
        Some(Kind::Word)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }
}
