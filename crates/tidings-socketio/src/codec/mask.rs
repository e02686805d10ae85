//! Unmasking of what clients send (RFC 6455, 5.3).

/// Applies the mask to bytes that begin `offset` bytes into the frame's payload. Applying it twice undoes it.
pub fn apply(bytes: &mut [u8], mut mask: [u8; 4], offset: usize) {
    mask.rotate_left(offset % 4);
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    // Eight bytes a step, which the compiler widens further; the tail is at most seven bytes.
    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        if let Ok(word) = <[u8; 8]>::try_from(&*chunk) {
            chunk.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
        }
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition_at_every_length_and_offset() {
        let mask = [0x12, 0x34, 0x56, 0x78];
        for length in 0..40 {
            for offset in 0..9 {
                let plain: Vec<u8> = (0..length).collect();
                let expected: Vec<u8> =
                    plain.iter().enumerate().map(|(i, byte)| byte ^ mask[(i + offset) % 4]).collect();
                let mut masked = plain;
                apply(&mut masked, mask, offset);
                assert_eq!(masked, expected, "length {length}, offset {offset}");
            }
        }
    }
}
