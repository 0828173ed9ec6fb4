//! Makes what the worker serves at `/openapi.json`.

fn main() -> Result<(), openapi::Error> {
    openapi::write_part()
}
