//! Small values in a byte.

/// Packs `N` values a byte, the first in the lowest bits; the last byte is padded with zeros.
pub(super) fn pack<const N: usize>(
    values: &[u8],
    packed: &mut [u8],
    byte_of: impl Fn([u8; N]) -> u8,
) {
    let (whole, rest) = values.as_chunks::<N>();
    for (byte, values) in packed.iter_mut().zip(whole) {
        *byte = byte_of(*values);
    }
    if let (Some(byte), false) = (packed.last_mut(), rest.is_empty()) {
        let mut padded = [0; N];
        padded[..rest.len()].copy_from_slice(rest);
        *byte = byte_of(padded);
    }
}

pub(super) fn unpack<const N: usize>(
    packed: &[u8],
    values: &mut [u8],
    values_of: impl Fn(u8) -> [u8; N],
) {
    let (whole, rest) = values.as_chunks_mut::<N>();
    for (byte, values) in packed.iter().zip(whole) {
        *values = values_of(*byte);
    }
    if let Some(byte) = packed.last() {
        rest.copy_from_slice(&values_of(*byte)[..rest.len()]);
    }
}

// A word has value `i` in the lowest bits of its byte `i`. A shift by `i * (8 - bits)` moves it to
// where it belongs in the packed byte, or back; what else the shifts move is masked or cut off.
// Words rather than bytes, because the compiler vectorizes them.

#[expect(clippy::cast_possible_truncation, reason = "the lowest byte")]
pub(super) fn pack_8(values: [u8; 8]) -> u8 {
    let mut word = u64::from_le_bytes(values);
    word |= word >> 7;
    word |= word >> 14;
    (word | word >> 28) as u8
}

pub(super) fn unpack_8(byte: u8) -> [u8; 8] {
    BITS[usize::from(byte)]
}

/// The bits of each byte, the lowest first: 2 KiB, faster than shifts.
static BITS: [[u8; 8]; 256] = {
    let mut bits = [[0; 8]; 256];
    let mut at = 0;
    while at < 256 * 8 {
        bits[at / 8][at % 8] = ((at / 8) >> (at % 8) & 1) as u8;
        at += 1;
    }
    bits
};

#[expect(clippy::cast_possible_truncation, reason = "the lowest byte")]
pub(super) fn pack_4(values: [u8; 4]) -> u8 {
    let mut word = u32::from_le_bytes(values);
    word |= word >> 6;
    (word | word >> 12) as u8
}

pub(super) fn unpack_4(byte: u8) -> [u8; 4] {
    let mut word = u32::from(byte);
    word |= word << 12;
    word |= word << 6;
    (word & 0x0303_0303).to_le_bytes()
}

pub(super) fn pack_2([first, second]: [u8; 2]) -> u8 {
    first | second << 4
}

pub(super) fn unpack_2(byte: u8) -> [u8; 2] {
    [byte & 0x0f, byte >> 4]
}
