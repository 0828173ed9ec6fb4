//! Makes the gateway's own part of what it serves at `/openapi.json`.

fn main() -> Result<(), openapi::Error> {
    openapi::write_part()
}
