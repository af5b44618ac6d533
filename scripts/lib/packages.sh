# Debian packages: sourced, never run. Needs talk.sh.

# ensure_packages NAME...: installs what is missing, as root or through sudo; otherwise says what
# to install and ends the script with code 2.
ensure_packages() {
  local missing=() name run
  command -v dpkg-query >/dev/null ||
    die 2 "packages: found no dpkg, expected Debian 12" "install by other means, then say --no-apt: $*"
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
      missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  run=(env DEBIAN_FRONTEND=noninteractive)
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
      say "[setup] packages: found neither root nor sudo, and these are missing. As root:"
      say "  apt-get install --no-install-recommends ${missing[*]}"
      exit 2
    fi
    run=(sudo "${run[@]}")
  fi
  say "Debian packages to install: ${missing[*]}"
  step "Reading Debian's package lists" "$cache/log/apt-update.log" "${run[@]}" apt-get update
  step "Installing ${#missing[@]} Debian packages" "$cache/log/apt-install.log" \
    "${run[@]}" apt-get install -y --no-install-recommends "${missing[@]}"
}
