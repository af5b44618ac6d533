// Draws the charts of report.html from the JSON in #data. The tables say the same without it.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const palette = [1, 2, 3, 4, 5].map((i) => colour(`--series-${i}`));

  Chart.defaults.color = colour("--text");
  Chart.defaults.borderColor = colour("--line");
  Chart.defaults.font.family = style.fontFamily || "sans-serif";
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;

  // A line from `low` to `high` on every bar of a dataset that has them.
  const intervals = {
    id: "intervals",
    afterDatasetsDraw(chart) {
      const { ctx, scales } = chart;
      ctx.save();
      ctx.strokeStyle = colour("--text");
      ctx.lineWidth = 1.5;
      chart.data.datasets.forEach((dataset, index) => {
        const meta = chart.getDatasetMeta(index);
        if (!dataset.low || meta.hidden) return;
        meta.data.forEach((bar, i) => {
          if (dataset.low[i] === null) return;
          const top = scales.y.getPixelForValue(dataset.high[i]);
          const bottom = scales.y.getPixelForValue(dataset.low[i]);
          ctx.beginPath();
          ctx.moveTo(bar.x, top);
          ctx.lineTo(bar.x, bottom);
          ctx.stroke();
        });
      });
      ctx.restore();
    },
  };

  const refusals = document.getElementById("refusals");
  if (refusals) {
    new Chart(refusals, {
      type: "bar",
      data: {
        labels: data.refusals.labels,
        datasets: data.refusals.systems.map((system) => ({
          label: system.name,
          data: system.value,
          low: system.low,
          high: system.high,
          backgroundColor: palette[system.colour],
        })),
      },
      options: { scales: { y: { min: 0, max: 100, title: { display: true, text: "refused, %" } } } },
      plugins: [intervals],
    });
  }

  data.curves.forEach((curve, index) => {
    new Chart(document.getElementById(`curve-${index}`), {
      type: "line",
      data: {
        labels: curve.labels,
        datasets: curve.series.map((series, i) => ({
          label: series.name,
          data: series.values,
          borderColor: palette[(i + 2) % palette.length],
          backgroundColor: palette[(i + 2) % palette.length],
          borderWidth: 2,
          pointRadius: series.values.filter((v) => v !== null).length > 40 ? 0 : 2,
          spanGaps: true,
        })),
      },
    });
  });

  // The canvases took their colours when they were drawn.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => location.reload());
})();
