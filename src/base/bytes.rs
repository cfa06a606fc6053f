//! Bytes that are no UTF-8, within text.
//!
//! Owns: the private-use characters that stand for single bytes, so that any file, path and password
//! is text inside and the same bytes outside. Never does: convert a whole text; `conf::source` does.

/// First of the characters that stand for single bytes.
const BYTE_BASE: u32 = 0xF700;

/// The character that stands for the literal byte `byte`.
#[must_use]
pub fn byte_char(byte: u8) -> char {
    // 0xF700 + 0..=0xFF is inside the private use area, so this is always a character.
    char::from_u32(BYTE_BASE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that `c` stands for, if it stands for one.
#[must_use]
pub fn char_byte(c: char) -> Option<u8> {
    u8::try_from(u32::from(c).checked_sub(BYTE_BASE)?).ok()
}
