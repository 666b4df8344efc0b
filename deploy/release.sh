#!/usr/bin/env bash
# Builds what is released, from a clone of the repository:
#
#   deploy/release.sh [DIRECTORY [ARCHITECTURE…]]      (dist, and amd64 arm64)
#
# that is, static binaries, Debian packages, and SHA256SUMS. The same commit and
# the same Go give the same bytes, in whatever folder and on whatever day. Go
# stamps the version off the commit and its tags; 'tandem version' says it.
# Packages need dpkg-deb (apt-get install dpkg); --no-deb leaves them out.
set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022

deb=yes
if [[ ${1:-} == --no-deb ]]; then
	deb= && shift
fi
out=${1:-dist}
architectures=("${@:2}")
[[ ${#architectures[@]} -gt 0 ]] || architectures=(amd64 arm64)

mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.."
fail() { printf 'release: %s\n' "$*" >&2; exit 1; }
[[ -z $deb ]] || command -v dpkg-deb > /dev/null || fail "no dpkg-deb here: apt-get install dpkg, or --no-deb for binaries alone"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build FILE GOOS GOARCH: nothing of this machine's settings gets into it.
build() {
	env -u GOEXPERIMENT GOFLAGS= CGO_ENABLED=0 GOAMD64=v1 GOARM64=v8.0 GOOS="$2" GOARCH="$3" \
		go build -trimpath -buildvcs=true -ldflags "-s -w" -o "$1" ./cmd/tandem
}

# stamped BINARY KEY: what Go has written into it.
stamped() { go version -m "$1" | awk -v key="$2" -F'\t' '$2 == "build" && sub("^" key "=", "", $3) { print $3 } $2 == key { print $4 }'; }

# One that runs here says the version, and writes the pages and completions.
build "$work/tandem" "$(go env GOHOSTOS)" "$(go env GOHOSTARCH)"
[[ -n $(stamped "$work/tandem" vcs.revision) ]] ||
	fail "Go has stamped no commit: build from a clone made by git clone, with git installed"
version=$(stamped "$work/tandem" mod)
version=${version#v}
SOURCE_DATE_EPOCH=$(date -d "$(stamped "$work/tandem" vcs.time)" +%s)
export SOURCE_DATE_EPOCH

# shellcheck source=deploy/deb/package.sh
source deploy/deb/package.sh
made=()
for architecture in "${architectures[@]}"; do
	binary=$out/tandem_${version}_linux_$architecture
	build "$binary" linux "$architecture"
	made+=("$binary")
	if [[ -n $deb ]]; then
		package "$binary" "$architecture"
		made+=("$out/tandem_$(debian_version)_$architecture.deb")
	fi
done
cd "$out"
sha256sum -- "${made[@]##*/}" > SHA256SUMS
printf '%s\n' "${made[@]}" "$out/SHA256SUMS"
