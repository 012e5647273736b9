# shellcheck shell=bash
# Sourced by the scripts in ci/. Everything that they keep lies below $CACHE;
# everything that they tell people goes to standard error, so that standard
# output stays free for answers (`ci/base-image`, `ci/cluster env`).

# shellcheck disable=SC2034 # used by the scripts that source this
CI=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ocfspawner
ENGINE_RUN=/run/ocfspawner # short: a socket's path may have 107 characters
ENGINE_HOST=unix://$ENGINE_RUN/docker.sock
PATH=$CACHE/bin:$PATH:/usr/sbin:/sbin
mkdir -p "$CACHE/logs" "$CACHE/bin" "$CACHE/locks"

say() { printf '%s\n' "$*" >&2; }

die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# help_if_asked "$@": answers --help with the comment at the top of the calling script.
help_if_asked() {
	local word
	for word in "$@"; do
		case $word in
		-h | --help)
			sed -n '2,/^[^#]/ { s/^# \{0,1\}//p }' "$0"
			exit 0
			;;
		esac
	done
}

# step WHAT HOW_LONG COMMAND...: one line at the start, one at the end, and a
# sign of life each minute. The command's output goes to a log.
step() {
	local what=$1 expected=$2 start=$SECONDS log status=0 pid fd
	shift 2
	log=$CACHE/logs/$(tr -cs 'A-Za-z0-9\n' '-' <<<"$what").log
	say "▸ $what ($expected)"
	# A process substitution, not a background list: there bash keeps `set -e` in
	# force in the command even when `step` itself stands in an `if` or before
	# `||`. The parentheses within let the command set an EXIT trap.
	exec {fd}< <(
		(
			set -euo pipefail
			trap - INT
			"$@"
		) >"$log" 2>&1
	)
	pid=$!
	step_watch "$pid" "$what" "$start"
	wait "$pid" || status=$?
	exec {fd}<&-
	if ((status)); then
		say "✗ $what: failed after $((SECONDS - start)) s; the last lines of $log:"
		tail -n 40 "$log" | sed 's/^/    /' >&2
	else
		say "✓ $what: $((SECONDS - start)) s"
	fi
	return "$status"
}

step_watch() {
	local pid=$1 what=$2 start=$3 told=0 minutes pause=0.1
	while kill -0 "$pid" 2>/dev/null; do
		sleep "$pause"
		((SECONDS - start < 3)) || pause=1
		minutes=$(((SECONDS - start) / 60))
		if ((minutes > told)); then
			told=$minutes
			say "  … still: $what, $((SECONDS - start)) s"
		fi
	done
}

# lock NAME: no other script of ours passes the same point until this one ends.
lock() {
	local fd
	exec {fd}>"$CACHE/locks/$1"
	flock -n "$fd" && return
	say "  … waiting: another run is at work on the same thing ($1)"
	flock "$fd"
}

# fingerprint PATH...: a short name for the content of files and folders.
fingerprint() {
	find "$@" -type f -exec sha256sum {} + | cut -c1-64 | sort | sha256sum | cut -c1-12
}

on_debian() {
	[ -r /etc/os-release ] && grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release
}

can_install() { [ "$(id -u)" = 0 ] && on_debian; }

# require COMMAND:PACKAGE...: installs the packages whose command (or, with a
# leading slash, whose file) is missing.
require() {
	local pair missing=() packages=()
	for pair in "$@"; do
		case $pair in
		/*) [ -e "${pair%%:*}" ] && continue ;;
		*) command -v "${pair%%:*}" >/dev/null && continue ;;
		esac
		missing+=("${pair%%:*}")
		packages+=("${pair#*:}")
	done
	((${#missing[@]})) || return 0
	can_install || die "missing on this machine: ${missing[*]}. Only as root on Debian or Ubuntu are packages" \
		"installed by themselves; install what is called there: ${packages[*]}"
	step "Installing system packages: ${packages[*]}" "less than a minute" install_packages "${packages[@]}"
	hash -r
}

install_packages() {
	lock apt
	# The lists of an hour ago are good enough, unless they name versions that are gone.
	if [ -n "$(find "$CACHE/apt-updated" -mmin -60 2>/dev/null)" ] && apt_install "$@"; then
		return
	fi
	apt-get -o DPkg::Lock::Timeout=300 update
	touch "$CACHE/apt-updated"
	apt_install "$@"
}

# No package may start its service: we start our own, with our own settings.
apt_install() (
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod 755 /usr/sbin/policy-rc.d
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
		install -y --no-install-recommends "$@"
)

engine_is_ours() {
	[ -S "$ENGINE_RUN/docker.sock" ] && [ "$(cat "$ENGINE_RUN/cache" 2>/dev/null)" = "$CACHE" ]
}

# use_engine: the commands that follow speak to the engine that `ci/engine up` chose.
use_engine() {
	if engine_is_ours; then
		# Debian's engine comes without the plugin that BuildKit needs on the client's side.
		export DOCKER_HOST=$ENGINE_HOST DOCKER_BUILDKIT=0
	elif [ "${DOCKER_HOST:-}" = "$ENGINE_HOST" ]; then
		unset DOCKER_HOST
	fi
	export PATH
}

# use_venv: sets VENV to a Python environment in which the checkout and what its tests need are installed.
use_venv() {
	require git:git python3:python3
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
		die "Python 3.11 or later is needed; python3 here is $(python3 --version)."
	python3 -c 'import ensurepip' 2>/dev/null || require ensurepip:python3-venv
	VENV=$CACHE/venv-$(cat setup.cfg ci/constraints.txt <(python3 -VV) <(command -v python3) | sha256sum | cut -c1-12)
	if [ ! -e "$VENV/complete" ]; then
		# gssapi has no wheel for Linux.
		require gcc:gcc /usr/include/stdio.h:libc6-dev krb5-config:libkrb5-dev \
			"$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h:python3-dev"
		rm -rf "$CACHE"/venv-*
		step "Making a Python environment for the tests" "one or two minutes" make_venv || exit 1
	fi
	step "Installing the checkout into it" "a few seconds" install_checkout || exit 1
}

make_venv() {
	python3 -m venv "$VENV"
	"$VENV/bin/pip" install --disable-pip-version-check -c ci/constraints.txt setuptools -e '.[test,gssapi]'
	touch "$VENV/complete"
}

# The environment may have been made from another checkout.
install_checkout() {
	"$VENV/bin/pip" install --disable-pip-version-check --no-deps --no-build-isolation -e .
}

unmount_below() {
	local mount
	awk -v root="$1/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
		while read -r mount; do umount -l "$mount" 2>/dev/null || true; done
}

have_image() { docker image inspect "$1" >/dev/null 2>&1; }

# image_registry: can images be pulled? Asked once an hour, as the answer can
# take its time where it is no.
image_registry() {
	local answer=$CACHE/image-registry
	if [ -z "$(find "$answer" -mmin -60 2>/dev/null)" ]; then
		timeout 20 docker manifest inspect debian:trixie-slim >"$CACHE/logs/image-registry.log" 2>&1 &&
			echo yes >"$answer" || echo no >"$answer"
	fi
	[ "$(<"$answer")" = yes ]
}

# use_go VERSION: a Go of at least that version, with caches of our own, so
# that removing $CACHE removes all that we ever fetched or built.
use_go() {
	local wanted=$1 have
	export CGO_ENABLED=0 GOPATH=$CACHE/go GOCACHE=$CACHE/go/build GOMODCACHE=$CACHE/go/pkg/mod GOFLAGS="-buildvcs=false -modcacherw"
	if ! command -v go >/dev/null; then
		have=$(apt-cache policy golang-go 2>/dev/null | sed -n 's/.*Candidate: 2:\([0-9.]*\).*/\1/p')
		at_least "$wanted" "${have:-0}" ||
			die "Go is missing, and no package golang-go of version $wanted or later is to be had. Install Go (go.dev/dl) and run this again."
		require go:golang-go
	fi
	# From 1.21 on an older Go fetches the one wanted, unless it is told not to.
	have=$(cd / && go env GOVERSION)
	at_least "$wanted" "${have#go}" || { at_least 1.21 "${have#go}" && [ "$(go env GOTOOLCHAIN)" != local ]; } ||
		die "Go ${have#go} is too old here: $wanted or later is needed. Install it (go.dev/dl) and run this again."
}

at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }
