//! The migrations are embedded by a macro, which cargo cannot see reading them.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
