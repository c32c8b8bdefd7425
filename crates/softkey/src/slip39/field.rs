//! GF(256) with the polynomial of AES, x^8 + x^4 + x^3 + x + 1. No tables: the places of look-ups
//! would leak the secret.

use zeroize::Zeroizing;

/// A point of as many polynomials as the secret has bytes.
#[derive(Clone)]
pub(super) struct Point {
    pub(super) x: u8,
    pub(super) value: Zeroizing<Vec<u8>>,
}

fn multiply(mut a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= a & (b >> bit & 1).wrapping_neg();
        a = (a << 1) ^ (0x1b & (a >> 7).wrapping_neg());
    }
    product
}

/// The inverse, a^254; 0 for 0.
fn invert(a: u8) -> u8 {
    let mut power = a;
    let mut result = 1;
    for _ in 0..7 {
        power = multiply(power, power);
        result = multiply(result, power);
    }
    result
}

/// The value at `x` of the polynomials through the points (Lagrange); `None` if two points have
/// the same `x`, or values of different lengths.
pub(super) fn interpolate(points: &[Point], x: u8) -> Option<Zeroizing<Vec<u8>>> {
    let length = points.first()?.value.len();
    let mut sum = Zeroizing::new(vec![0; length]);
    for (i, point) in points.iter().enumerate() {
        if point.value.len() != length {
            return None;
        }
        let (mut above, mut below) = (1, 1);
        for (_, other) in points.iter().enumerate().filter(|(j, _)| *j != i) {
            if other.x == point.x {
                return None;
            }
            // In this field, differences and sums are both exclusive or.
            above = multiply(above, x ^ other.x);
            below = multiply(below, point.x ^ other.x);
        }
        let weight = multiply(above, invert(below));
        for (sum, byte) in sum.iter_mut().zip(point.value.iter()) {
            *sum ^= multiply(weight, *byte);
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_that_of_aes() {
        // FIPS 197, section 4.2.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
        for a in 1..=255 {
            assert_eq!(multiply(a, invert(a)), 1);
        }
    }

    #[test]
    fn a_point_is_where_it_was_put() {
        let point = |x, byte: u8| Point {
            x,
            value: Zeroizing::new(vec![byte; 2]),
        };
        let points = [point(1, 7), point(2, 200), point(9, 0)];
        for point in &points {
            assert_eq!(interpolate(&points, point.x).unwrap(), point.value);
        }
        assert!(interpolate(&[point(1, 7), point(1, 8)], 3).is_none());
    }
}
