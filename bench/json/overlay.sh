#!/bin/sh
# usage: bench/json/overlay.sh go test ./event -run XXX -bench Prediction
# runs a go command on the tree with strictjson.Reader on jsontext.Decoder (testdata/reader.go.txt)
set -e
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strict=$root/internal/strictjson
cp "$here/testdata/reader.go.txt" "$work/reader.go"
printf 'package strictjson\n' > "$work/empty.go"
printf '{"Replace":{"%s":"%s","%s":"%s","%s":"%s"}}' "$strict/reader.go" "$work/reader.go" "$strict/values.go" "$work/empty.go" \
	"$strict/names.go" "$work/empty.go" > "$work/overlay.json"
cp "$root/go.mod" "$work/go.mod"
cp "$root/go.sum" "$work/go.sum"
cd "$root"
GOFLAGS=-mod=mod go get -modfile="$work/go.mod" github.com/go-json-experiment/json@v1.27.2 2> /dev/null
command=$1 verb=$2
shift 2
"$command" "$verb" -modfile="$work/go.mod" -overlay="$work/overlay.json" "$@"
