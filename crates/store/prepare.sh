#!/bin/sh
# Regenerates the query data in .sqlx, against which the SQL of this crate is checked at compile time.
#   prepare.sh           after a change of a query or a migration
#   prepare.sh --check   fails if .sqlx is not what the code and the migrations give
# Needs the sqlite3 command; the database is a scratch one.
set -eu

check=false
case "${1:-}" in
    "") ;;
    --check) check=true ;;
    *) echo "usage: $0 [--check]" >&2; exit 2 ;;
esac

root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT INT TERM
mkdir "$scratch/sqlx"

for migration in "$root"/migrations/*.sql; do
    sqlite3 -bail "$scratch/schema.db" <"$migration" >/dev/null
done

# The macros write their data when they are expanded, so the crate has to be compiled anew. A stale timestamp is all
# that cargo looks at.
touch "$root/crates/store/src/lib.rs"
(
    cd "$root"
    DATABASE_URL="sqlite://$scratch/schema.db" SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$scratch/sqlx" \
        cargo check --quiet -p berth-store
)

# An interrupted or skipped expansion must not pass for "no queries".
if [ -z "$(ls "$scratch/sqlx")" ]; then
    echo "no query data was written" >&2
    exit 1
fi

if $check; then
    if ! diff -r "$root/.sqlx" "$scratch/sqlx"; then
        # Else cargo takes the crate for up to date, though it only compiles with the scratch data.
        touch "$root/crates/store/src/lib.rs"
        echo ".sqlx does not match the code: run crates/store/prepare.sh and commit the result" >&2
        exit 1
    fi
else
    mkdir -p "$root/.sqlx"
    rm -f "$root"/.sqlx/query-*.json
    cp "$scratch"/sqlx/query-*.json "$root/.sqlx/"
    echo "$(ls "$root/.sqlx" | wc -l) queries in .sqlx"
fi
