#!/usr/bin/env bash
# Draws docs/images/admm-convergence.svg: how far rl and admm (lambda 0) are from the least I-divergence that either
# reaches, over their iterations, on a stack and its PSF. Needs a release build.
#   docs/methods/convergence.sh STACK PSF
set -euo pipefail
stack=$(realpath "$1") psf=$(realpath "$2")
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Lines `iteration value` of a run's objective.
objective() {
  build/release/bin/deconvoy run "$stack" --psf "$psf" --local -o "$work/out.tif" --set objective=1 --json "$@" \
    2>/dev/null | tail -1 | grep -o '"objective":\[[^]]*\]' | grep -o '{[^}]*}' |
    sed 's/.*"iteration":\([0-9]*\).*"value":\([-+.0-9e]*\).*/\1 \2/'
}
objective --method rl --set acceleration=none --iterations 100 >"$work/0"
objective --method rl --iterations 100 >"$work/1"
objective --method admm --set lambda=0 --iterations 100 >"$work/2"
objective --method admm --set lambda=0 --set weight=0.01 --iterations 100 >"$work/3"
awk -v names='plain rl,rl with heavy-ball,admm,admm with weight 0.01' -v strokes='#777,#36c,#c60,#393' '
  { i = FILENAME; sub(/.*\//, "", i); x[i, ++n[i]] = $1; y[i, n[i]] = $2
    if (least == "" || $2 < least) least = $2; if ($1 > last) last = $1 }
  function px(v) { return 70 + 500 * v / last }
  function py(v) { return 20 + 300 * (top - log(v) / log(10)) / (top - bottom) }
  END {
    for (k in y) { y[k] = y[k] / least - 1; if (y[k] < 1e-4) y[k] = 1e-4; if (y[k] > most) most = y[k] }
    bottom = -4; top = int(log(most) / log(10)) + 1
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 370\" font-family=\"Helvetica,Arial,sans-serif\" font-size=\"13\">"
    print "<rect width=\"760\" height=\"370\" fill=\"#fff\"/>"
    for (d = bottom; d <= top; ++d) {
      printf "<path d=\"M70 %.1fH570\" stroke=\"#ddd\"/><text x=\"62\" y=\"%.1f\" text-anchor=\"end\">1e%d</text>\n", py(10 ^ d), py(10 ^ d) + 4, d }
    for (v = 0; v <= last; v += 20) printf "<text x=\"%.1f\" y=\"338\" text-anchor=\"middle\">%d</text>\n", px(v), v
    print "<text x=\"320\" y=\"360\" text-anchor=\"middle\">iteration</text>"
    print "<text transform=\"translate(18 170) rotate(-90)\" text-anchor=\"middle\">I-divergence over the least, minus 1</text>"
    split(names, name, ","); split(strokes, stroke, ",")
    final = y[0, n[0]]
    printf "<path d=\"M70 %.1fH570\" stroke=\"#777\" stroke-dasharray=\"4 4\"/>\n", py(final)
    for (i = 0; i in n; ++i) {
      line = ""; for (k = 1; k <= n[i]; ++k) line = line sprintf("%s%.1f %.1f", k > 1 ? "L" : "M", px(x[i, k]), py(y[i, k]))
      printf "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", line, stroke[i + 1]
      printf "<path d=\"M580 %dH604\" stroke=\"%s\" stroke-width=\"2\"/><text x=\"610\" y=\"%d\">%s</text>\n", 30 + 22 * i, stroke[i + 1], 34 + 22 * i, name[i + 1]
      for (k = 1; k <= n[i] && y[i, k] > final; ++k) ;
      printf "%s: %s\n", name[i + 1], k <= n[i] ? "as low as plain rl after " x[0, n[0]] " iterations after " x[i, k] : "not as low" > "/dev/stderr" }
    print "</svg>" }' "$work"/[0-3] >docs/images/admm-convergence.svg
