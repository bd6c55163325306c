# Builds Rust's standard library for wasm32-wasip2 into the active toolchain, from Debian's source packages.
set -euo pipefail
target=wasm32-wasip2
version=$(rustc -vV | sed -n 's/^release: //p')
sysroot=$(rustc --print sysroot)
lib=$sysroot/lib/rustlib/$target/lib
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for tool in apt-get apt-cache dpkg; do
  command -v "$tool" >/dev/null || { echo "$tool is not here: without rustup's download this needs Debian" >&2; exit 1; }
done

# a private apt view of the suites that may carry rust-src of this version, on the mirror that this machine already uses
mkdir -p "$work"/{parts,lists/partial,debs}
sed 's/^Suites:.*/Suites: trixie-backports sid/; /^ *$/q' /etc/apt/sources.list.d/debian.sources > "$work/parts/src.sources"
apt=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts" -o Dir::State::Lists="$work/lists" -o APT::Sandbox::User=root)
apt-get "${apt[@]}" -qq update
src=$(apt-cache "${apt[@]}" madison rust-src | awk -v v="$version" '$3 ~ "^"v"[+]" {print $3; exit}')
[ -n "$src" ] || { echo "no rust-src $version among the distribution's packages" >&2; exit 1; }
(cd "$work/debs" && apt-get "${apt[@]}" -qq download "rust-src=$src" wasi-libc)
for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$work/root"; done

rm -rf "$lib"
mkdir -p "$lib/self-contained" "$sysroot/lib/rustlib/src/rust"
cp "$work/root/usr/lib/$target"/{crt1-command.o,crt1-reactor.o,libc.a} "$lib/self-contained/"
cp -r "$work/root/usr/src/rustc-$version/library" "$sysroot/lib/rustlib/src/rust/"
mkdir -p "$work/probe/src"
: > "$work/probe/src/lib.rs"
printf '[package]\nname = "std-probe"\nversion = "0.0.0"\nedition = "2021"\n[profile.release]\ncodegen-units = 1\n' > "$work/probe/Cargo.toml"
# embed-bitcode, so that plugins can use LTO; run inside the folder, since -Zbuild-std wants no --manifest-path
(cd "$work/probe" && env -u CARGO_TARGET_DIR -u CARGO_ENCODED_RUSTFLAGS RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
  cargo build --quiet --release --target $target -Zbuild-std=std,panic_abort)
cp "$work/probe/target/$target/release/deps/"*.rlib "$lib/"
rm -f "$lib"/libstd_probe*
rm -rf "$sysroot/lib/rustlib/src"
echo "std for $target $version is in $lib"
