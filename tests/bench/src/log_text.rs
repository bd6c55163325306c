//! A log as services write them, generated: the same bytes in every run.

use std::fmt::Write as _;

/// At least so many bytes of it, ending with a line.
pub fn generate(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 1024);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        // xorshift64*, Vigna 2016.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    };
    let mut milliseconds = 0;
    while text.len() < bytes {
        milliseconds += 1 + next() % 40;
        let (hours, minutes) = (milliseconds / 3_600_000 % 24, milliseconds / 60_000 % 60);
        let time =
            format!("2026-03-02T{hours:02}:{minutes:02}:{:02}.{:03}Z", milliseconds / 1000 % 60, milliseconds % 1000);
        let (request, order, took) = (next(), next() % 100_000, next() % 400);
        let written = match next() % 100 {
            0 => write!(
                text,
                "{time} ERROR checkout failed for order {order}\nTypeError: Cannot read properties of undefined (reading \
                 'price')\n    at total (/srv/shop/functions/lib/orders.js:42:31)\n    at checkout \
                 (/srv/shop/functions/index.js:17:9)\n    at process.processTicksAndRejections \
                 (node:internal/process/task_queues:95:5)\n"
            ),
            1 => writeln!(text, "{time} ERROR payment {request:x} declined after {took} ms: upstream returned 502"),
            2..=4 => writeln!(text, "{time} WARN slow query on orders: {took} ms, {} rows", order % 977),
            5..=19 => writeln!(text, "{time} INFO cache miss for product {order}, fetched in {took} ms"),
            _ => writeln!(text, "{time} INFO GET /api/orders/{order} 200 {took} ms request={request:08x}"),
        };
        written.expect("text can be written to");
    }
    text
}
