#!/bin/bash
# Runs every fuzz target of the repository for a while, one after the other. What fails is kept by go in the testdata
# folder of its package; the exit code is then 1.
#
# Usage: fuzz.sh DURATION     for each target, as go writes it: 30s, 5m
set -uo pipefail
case ${1:-} in '' | -*) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" && exit 2 ;; esac
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1

failed=0
while IFS=: read -r file target; do
	printf '== %s of ./%s\n' "$target" "$(dirname "$file")"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 10x "./$(dirname "$file")" || failed=$((failed + 1))
done < <(grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' actions internal sources ui | sed 's/:func /:/' | sort)
[ "$failed" = 0 ] || {
	echo "$failed fuzz targets failed"
	exit 1
}
