# Pinned downloads: sourced, never run. Needs talk.sh and $cache. Every package is pinned by
# version and sha256 in scripts/requirements/, and pip refuses anything else.

# make_venv DIR: an empty Python environment; of Debian's own Python where it can, since its
# version is known.
make_venv() {
  local candidate
  for candidate in /usr/bin/python3 python3; do
    if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
      step "Making a Python environment" "$cache/log/venv.log" "$candidate" -m venv --clear "$1"
      return
    fi
  done
  die 2 "python: found no python3 with venv" "apt-get install python3 python3-venv"
}

# sha256_is FILE DIGEST
sha256_is() { [ -f "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum --check --status; }

# fetch NAME [PIP OPTION...]: downloads the packages of scripts/requirements/NAME.txt to
# $cache/downloads/NAME, once for each content of that file.
fetch() {
  local list=$root/scripts/requirements/$1.txt folder=$cache/downloads/$1 tools=$cache/venv-tools
  local name=$1
  shift
  cmp -s "$list" "$folder/.list" && return
  if ! cmp -s "$root/scripts/requirements/build.txt" "$tools/.list"; then
    make_venv "$tools"
    step "Installing pip's build tools" "$cache/log/venv-tools.log" \
      "$tools/bin/pip" install --disable-pip-version-check --no-deps --require-hashes \
      -r "$root/scripts/requirements/build.txt"
    cp "$root/scripts/requirements/build.txt" "$tools/.list"
  fi
  rm -rf "$folder"
  step "Downloading $name" "$cache/log/download-$name.log" \
    "$tools/bin/pip" download --disable-pip-version-check --no-deps --require-hashes \
    --no-build-isolation "$@" --dest "$folder" -r "$list"
  cp "$list" "$folder/.list"
}
