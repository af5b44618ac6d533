// The view Measurements: a table and charts of this page's own figures, and charts of the server's.
/* global Chart */
import { byId, element, tableHead } from "./dom.js";
import { interval, sample } from "./prometheus.js";

const PERIOD = 2000;  // ms between two looks at the server
const SAMPLES = 60;
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];  // lines differ without their colours, too
const POINTS = ["circle", "rect", "triangle", "rectRot"];

const number = (value, digits) => (value === null ? "–" : value.toFixed(digits));

function line(canvas) {
  return new Chart(byId(canvas), {
    type: "line",
    data: { labels: [], datasets: [] },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      scales: { y: { beginAtZero: true, ticks: { maxTicksLimit: 5 } },
                x: { grid: { display: false }, ticks: { maxTicksLimit: 6, maxRotation: 0 } } },
      plugins: { legend: { align: "start", labels: { usePointStyle: true, boxHeight: 6 } } },
    },
  });
}

export class Charts {
  #before = null;  // the last sample of the server's counters
  #intervals = [];
  #timers = [];
  #charts = [];

  // `context` is {api, measurements, columns(), messages()}.
  constructor(context) {
    this.context = context;
    this.#make();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#make();
      this.#draw();
    });
  }

  // While the view is seen, it follows the figures.
  show(seen) {
    this.#timers.forEach(clearInterval);
    this.#timers = [];
    if (!seen) return;
    this.#draw();
    this.#ask();
    this.#timers = [setInterval(() => this.#drawOwn(), 1000), setInterval(() => this.#ask(), PERIOD)];
  }

  // A chart keeps the colours it was made with.
  #make() {
    const style = getComputedStyle(document.documentElement);
    this.colour = (name) => style.getPropertyValue(name).trim();
    Chart.defaults.color = this.colour("--muted");
    Chart.defaults.borderColor = this.colour("--line");
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    for (const chart of this.#charts) chart.destroy();
    this.#charts = [this.throughput, this.firstToken, this.serverThroughput, this.serverLatency] =
      ["chart-throughput", "chart-first-token", "chart-server-throughput", "chart-server-latency"].map(line);
  }

  #draw() {
    this.#drawOwn();
    this.#drawServer();
  }

  #set(chart, labels, series) {
    chart.data.labels = labels;
    chart.data.datasets = series.map(({ label, data, points = false, index }) => {
      const colour = this.colour(`--series-${index + 1}`);
      return {
        label, data, borderColor: colour, backgroundColor: colour, borderWidth: 2, borderDash: DASHES[index],
        pointStyle: POINTS[index], pointRadius: points ? 4 : 0, spanGaps: true,
      };
    });
    chart.update();
  }

  #drawOwn() {
    const { measurements } = this.context;
    const columns = this.context.columns();
    const index = (column) => column.letter.charCodeAt(0) - "A".charCodeAt(0);
    const seconds = measurements.throughput("").map((_, i, all) => `−${all.length - i} s`);
    this.#set(this.throughput, seconds, columns.map((column) => ({
      label: column.title, data: measurements.throughput(column.letter), index: index(column) })));
    const messages = this.context.messages();
    this.#set(this.firstToken, Array.from({ length: messages }, (_, i) => i + 1), columns.map((column) => ({
      label: column.title, data: measurements.firstTokens(column.letter, messages), points: true,
      index: index(column) })));

    const rows = columns.map((column) => {
      const { answers, tokens, firstToken, rate } = measurements.summary(column.letter);
      const cells = [answers, tokens, number(firstToken, 0), number(rate, 1)];
      return element("tr", {}, element("th", { scope: "row" }, column.title),
                     ...cells.map((cell) => element("td", {}, String(cell))));
    });
    byId("figures").replaceChildren(
      element("caption", {}, "Medians of each column's answers"),
      tableHead(["Column", "Answers", "Tokens", "To the first (ms)", "Tokens per second"]),
      element("tbody", {}, ...rows));
  }

  async #ask() {
    if (document.hidden) return;
    let now;
    try {
      now = sample(await this.context.api.getText("metrics"), performance.now());
    } catch (error) {
      byId("server-figures").textContent = error.status === 401
        ? "The server's own figures need an API key: set it in Settings."
        : `The server's own figures cannot be read: ${error.message}`;
      this.#before = null;
      return;
    }
    byId("server-figures").textContent = "All clients together, every two seconds. " +
      `Running now: ${now.running ?? "–"}, waiting: ${now.waiting ?? "–"}.`;
    if (this.#before) this.#intervals = [...this.#intervals, interval(this.#before, now)].slice(-SAMPLES);
    this.#before = now;
    this.#drawServer();
  }

  #drawServer() {
    const labels = this.#intervals.map((_, i, all) => `−${((all.length - i) * PERIOD) / 1000} s`);
    const of = (key) => this.#intervals.map((each) => each[key]);
    this.#set(this.serverThroughput, labels, [{ label: "generated", data: of("generated"), index: 1 },
                                              { label: "read", data: of("prompt"), index: 0 }]);
    this.#set(this.serverLatency, labels, [
      { label: "to the first token", data: of("firstToken"), points: true, index: 1 },
      { label: "between tokens", data: of("between"), points: true, index: 0 },
    ]);
  }
}
