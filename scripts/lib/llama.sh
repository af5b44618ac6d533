# llama.cpp, built once for each source, compiler and processor and kept in the cache: sourced,
# never run. Needs talk.sh, downloads.sh and $cache.

# llama_source: sets $llama_source to a tree of llama.cpp, the pinned one or
# $FETCHCONTENT_SOURCE_DIR_LLAMA_CPP, and $llama_identity to what tells it from others.
llama_source() {
  if [ -n "${FETCHCONTENT_SOURCE_DIR_LLAMA_CPP:-}" ]; then
    llama_source=$FETCHCONTENT_SOURCE_DIR_LLAMA_CPP
    llama_identity=$llama_source
    return
  fi
  local package
  package=$(sed -n 's/^\(llama-cpp-python\)==\([^ ]*\).*/\2/p' "$root/scripts/requirements/llama.txt")
  llama_identity=$(sha256sum <"$root/scripts/requirements/llama.txt")
  llama_source=$cache/src/llama.cpp-$package
  [ ! -e "$llama_source" ] || return 0
  fetch llama --no-binary :all:
  rm -rf "$llama_source.partial"
  mkdir -p "$llama_source.partial"
  step "Unpacking llama.cpp" "$cache/log/llama-unpack.log" \
    tar -xzf "$cache/downloads/llama/llama_cpp_python-$package.tar.gz" -C "$llama_source.partial" \
    --strip-components=3 "llama_cpp_python-$package/vendor/llama.cpp"
  mv "$llama_source.partial" "$llama_source"
}

# build_llama LINK [CMAKE OPTION...]: leaves the symbolic link $root/.deps/LINK to an installed
# llama.cpp that was configured with these options. $LLMPATCH_LLAMA_PREFIX names one to use as it is.
build_llama() {
  local link=$root/.deps/$1 prefix build key launcher=()
  shift
  if [ -n "${LLMPATCH_LLAMA_PREFIX:-}" ]; then
    prefix=$LLMPATCH_LLAMA_PREFIX
  else
    llama_source
    # -march=native is expanded: a build for one processor must not be used on another.
    key=$({
      printf '%s\n' "$llama_identity" "$*"
      cat "$root"/cmake/llama/*
      c++ --version
      c++ -march=native -Q --help=target
    } | sha256sum | cut -c 1-12)
    prefix=$cache/llama.cpp-$key
    build=$cache/build/llama.cpp-$key
    if [ ! -e "$prefix/.complete" ]; then
      command -v ccache >/dev/null &&
        launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
      step "Configuring llama.cpp" "$cache/log/llama-configure.log" \
        cmake -S "$root/cmake/llama" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        "-DLLAMA_CPP_SOURCE=$llama_source" "-DCMAKE_INSTALL_PREFIX=$prefix" \
        "${launcher[@]}" "$@"
      step "Building llama.cpp (a few minutes, once)" "$cache/log/llama-build.log" \
        cmake --build "$build" --target install
      touch "$prefix/.complete"
      rm -rf "$build"
    fi
  fi
  [ "$(readlink "$link" || true)" != "$prefix" ] || return 0
  mkdir -p "$root/.deps"
  ln -sfn "$prefix" "$link"
  # Our objects know the link only: headers behind it changed without a newer date.
  for build in "$root"/build "$root"/build-*; do
    if grep -qs "^CMAKE_PREFIX_PATH:.*=$link\$" "$build/CMakeCache.txt"; then
      cmake --build "$build" --target clean >/dev/null 2>&1
    fi
  done
}
