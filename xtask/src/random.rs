//! Random numbers and times for the files that are made here: the same in every version, for ever.

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014):
/// unlike a library's generator, it gives the same numbers in every version for ever.
pub struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to but not including 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 up to but not including `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }

    /// Standard normal: the sum of twelve uniform numbers less six (Irwin–Hall), which needs no
    /// logarithm or cosine and so is the same on every machine.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// So many different numbers below `bound`.
    pub fn distinct(&mut self, count: usize, bound: usize) -> Vec<usize> {
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count {
            let candidate = self.below(bound);
            if !chosen.contains(&candidate) {
                chosen.push(candidate);
            }
        }
        chosen
    }
}

/// A second of 2024 as `YYYY-MM-DD HH:MM:SS`.
pub fn timestamp(second: u64) -> String {
    const DAYS_OF_MONTHS: [u64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (mut day, second) = (second / 86_400, second % 86_400);
    let mut month = 1;
    for days in DAYS_OF_MONTHS {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    format!("2024-{month:02}-{:02} {:02}:{:02}:{:02}", day + 1, second / 3_600, second / 60 % 60, second % 60)
}
