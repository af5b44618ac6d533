# Talk for the scripts, all of it on stderr: sourced, never run.

say() { printf '%s\n' "$*" >&2; }

# die CODE MESSAGE [HINT]: ends the script with one line and a hint.
die() {
  say "[$(basename "$0")] $2"
  [ -z "${3:-}" ] || say "hint: $3"
  exit "$1"
}

# A line that is redrawn on a terminal, and said every half minute elsewhere, for as long as the
# script lives: what goes on, how long it has taken, and ninja's counter if the log has one.
tick() {
  local label=$1 log=$2 seconds=0 counter
  exec 8<> <(:)  # nothing ever comes: a sleep that ends with this process
  while { read -rt 1 -u 8 || true; } && kill -0 $$ 2>/dev/null; do
    seconds=$((seconds + 1))
    counter=$(tail -c 4000 "$log" 2>/dev/null | grep -aoE '^\[[0-9]+/[0-9]+\]' | tail -n 1 || true)
    if [ -t 2 ]; then
      printf '\r\033[K%s ... %s %s s' "$label" "$counter" "$seconds" >&2
    elif [ $((seconds % 30)) -eq 0 ]; then
      say "$label ... $counter $seconds s"
    fi
  done
}

# step LABEL LOG COMMAND...: runs COMMAND with its output in LOG and shows that it goes on. A
# failure shows the end of LOG and returns COMMAND's code.
step() {
  local label=$1 log=$2 start=$SECONDS code=0 ticker
  shift 2
  mkdir -p "$(dirname "$log")"
  : >"$log"
  tick "$label" "$log" </dev/null >/dev/null &
  ticker=$!
  "$@" >"$log" 2>&1 </dev/null || code=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  [ ! -t 2 ] || printf '\r\033[K' >&2
  if [ "$code" -ne 0 ]; then
    tail -n 40 "$log" >&2
    say "$label: failed after $((SECONDS - start)) s (all of it: $log)"
    return "$code"
  fi
  [ $((SECONDS - start)) -lt 2 ] || say "$label: done ($((SECONDS - start)) s)"
}
