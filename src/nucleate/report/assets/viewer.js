"use strict";
// Crystals on canvas: shaded spheres, two-coloured bonds and the cell, sorted by depth. No libraries.
const Viewer = (() => {
  const SPRITE = 176, FOG_LEVELS = 8, FOG = 0.62, BOND = 0.105, TURN = 0.2; // bond radius in angstrom, turn in rad/s
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const mix = (p, q, t) => p.map((v, i) => v + (q[i] - v) * t);
  const text = (c) => `rgb(${c.map((v) => Math.round(Math.min(255, v))).join(",")})`;
  let elements = {}, sprites = new Map(), theme = null;

  function readTheme() {
    theme = { fog: rgb(css("--stage")), edge: rgb(css("--edge")), axes: ["--axis-a", "--axis-b", "--axis-c"].map((v) => rgb(css(v))) };
    sprites = new Map();
  }

  // How light falls on a sphere: wrapped Lambert from the upper left, sky light from above, a soft highlight, a darker rim.
  const lighting = (() => {
    const half = SPRITE / 2, n = SPRITE * SPRITE, out = { lit: new Float32Array(n), shine: new Float32Array(n), cover: new Float32Array(n) };
    const light = [-0.44, 0.58, 0.686], middle = [-0.24, 0.32, 0.916]; // unit vectors; middle is halfway to the eye
    for (let i = 0; i < n; i++) {
      const x = (i % SPRITE + 0.5 - half) / (half - 1), y = -(Math.floor(i / SPRITE) + 0.5 - half) / (half - 1), r = Math.hypot(x, y);
      out.cover[i] = 255 * Math.min(1, Math.max(0, (1 - r) * (half - 1) + 0.5));
      const z = Math.sqrt(Math.max(0, 1 - r * r)), lambert = Math.max(0, (x * light[0] + y * light[1] + z * light[2] + 0.28) / 1.28);
      out.lit[i] = (0.2 + 0.1 * y + 0.86 * lambert) * (0.58 + 0.42 * Math.min(1, z * 1.9));
      out.shine[i] = 0.42 * Math.max(0, x * middle[0] + y * middle[1] + z * middle[2]) ** 46;
    }
    return out;
  })();

  function blank() {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SPRITE;
    return [canvas, canvas.getContext("2d")];
  }

  function sphere(symbol) {
    const [canvas, context] = blank(), image = context.createImageData(SPRITE, SPRITE), { lit, shine, cover } = lighting;
    const base = rgb(elements[symbol].colour).map((v) => (v / 255) ** 2.2); // linear light
    for (let i = 0; i < lit.length; i++) {
      if (!cover[i]) continue;
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = 255 * Math.min(1, base[k] * lit[i] + shine[i]) ** (1 / 2.2);
      image.data[4 * i + 3] = cover[i];
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  function sprite(symbol, fog) {
    const key = symbol + fog;
    if (sprites.has(key)) return sprites.get(key);
    let canvas;
    if (!fog) canvas = sphere(symbol);
    else {
      const clear = sprite(symbol, 0);
      let context;
      [canvas, context] = blank();
      context.drawImage(clear, 0, 0);
      context.globalCompositeOperation = "source-atop";
      context.globalAlpha = fog * FOG / FOG_LEVELS;
      context.fillStyle = text(theme.fog);
      context.fillRect(0, 0, SPRITE, SPRITE);
    }
    sprites.set(key, canvas);
    return canvas;
  }

  const product = (p, q) => p.map((row) => [0, 1, 2].map((k) => row[0] * q[0][k] + row[1] * q[1][k] + row[2] * q[2][k]));
  const about = (axis, angle) => {
    const c = Math.cos(angle), s = Math.sin(angle);
    return axis === "x" ? [[1, 0, 0], [0, c, -s], [0, s, c]] : [[c, 0, s], [0, 1, 0], [-s, 0, c]];
  };
  const unit = (v) => { const n = Math.hypot(...v) || 1; return v.map((x) => x / n); };
  const cross = (u, v) => [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];

  class View {
    constructor(canvas, scene) {
      Object.assign(this, { canvas, scene, repeat: 1, perspective: true, visible: false, stale: true, touched: false });
      this.pointers = new Map();
      this.build();
      this.reset();
      this.listen();
    }

    reset() { // c upwards, a towards the eye, seen a little from the right and from above
      const [a, , c] = this.scene.cell, up = unit(c), along = a[0] * up[0] + a[1] * up[1] + a[2] * up[2];
      const front = unit(a.map((v, i) => v - along * up[i]));
      this.base = [cross(up, front), up, front];
      Object.assign(this, { angle: -0.42, drag: about("x", 0.26), zoom: 1, stale: true });
    }

    point(f) { // fractional to cartesian, from the middle of the drawn block
      const m = this.scene.cell, h = this.repeat / 2;
      return [0, 1, 2].map((k) => (f[0] - h) * m[0][k] + (f[1] - h) * m[1][k] + (f[2] - h) * m[2][k]);
    }

    build() { // atoms with their images on the faces, bonds between what is drawn, edges cut so that depth sorts them
      const { cell, frac, symbols, bonds } = this.scene, n = this.repeat, found = new Map();
      const slack = cell.map((v) => Math.min(0.05, 0.15 / Math.hypot(...v)));
      this.atoms = [];
      frac.forEach((f, i) => {
        for (let x = 0; x <= n; x++) for (let y = 0; y <= n; y++) for (let z = 0; z <= n; z++) {
          const p = [f[0] + x, f[1] + y, f[2] + z];
          if (p.some((v, k) => v > n + slack[k])) continue;
          found.set([i, x, y, z].join(), this.atoms.length);
          this.atoms.push({ symbol: symbols[i], at: this.point(p), radius: 0.17 + 0.27 * elements[symbols[i]].radius, i, cell: [x, y, z] });
        }
      });
      this.bonds = [];
      const partners = frac.map(() => []);
      for (const [i, j, ...t] of bonds) partners[i].push([j, t]);
      this.atoms.forEach((atom, index) => {
        for (const [j, t] of partners[atom.i]) {
          const other = found.get([j, ...atom.cell.map((v, k) => v + t[k])].join());
          if (other !== undefined) this.bonds.push([index, other]);
        }
      });
      this.edges = [];
      const ends = n > 1 ? [0, 1, n] : [0, 1];
      for (let axis = 0; axis < 3; axis++) for (const u of ends) for (const v of ends) {
        const inner = n > 1 && (u === 1 || v === 1); // the single cell inside the block, as far as it reaches
        if (inner && (u === n || v === n)) continue;
        const length = inner ? 1 : n, parts = 8 * length, at = (s) => {
          const f = [0, 0, 0];
          f[axis] = s * length / parts; f[(axis + 1) % 3] = u; f[(axis + 2) % 3] = v;
          return this.point(f);
        };
        for (let s = 0; s < parts; s++) this.edges.push({ from: at(s), to: at(s + 1), axis: u || v || s * length / parts >= 1 ? -1 : axis });
      }
      const corners = [[0, 0, 0], [n, 0, 0], [0, n, 0], [0, 0, n]].map((f) => Math.hypot(...this.point(f)));
      this.reach = Math.max(...corners, ...this.atoms.map((a) => Math.hypot(...a.at) + a.radius)) || 1;
      this.stale = true;
    }

    listen() {
      const { canvas } = this, turn = (dx, dy) => {
        this.drag = product(product(about("x", dy), about("y", dx)), this.drag);
        this.touched = this.stale = true;
      };
      const magnify = (factor) => { this.zoom = Math.min(6, Math.max(0.4, this.zoom * factor)); this.touched = this.stale = true; };
      canvas.addEventListener("pointerdown", (e) => {
        canvas.setPointerCapture(e.pointerId);
        this.pointers.set(e.pointerId, [e.clientX, e.clientY]);
        this.touched = true;
      });
      canvas.addEventListener("pointermove", (e) => {
        const last = this.pointers.get(e.pointerId);
        if (!last) return;
        const others = [...this.pointers].filter(([id]) => id !== e.pointerId).map(([, p]) => p);
        if (others.length) {
          const before = Math.hypot(last[0] - others[0][0], last[1] - others[0][1]);
          magnify(Math.hypot(e.clientX - others[0][0], e.clientY - others[0][1]) / (before || 1));
        } else turn((e.clientX - last[0]) * 0.011, (e.clientY - last[1]) * 0.011);
        this.pointers.set(e.pointerId, [e.clientX, e.clientY]);
      });
      for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (e) => this.pointers.delete(e.pointerId));
      canvas.addEventListener("wheel", (e) => { // the page scrolls until the view has been clicked
        if (document.activeElement !== canvas && !e.ctrlKey) return;
        e.preventDefault();
        magnify(Math.exp(-e.deltaY * 0.0014));
      }, { passive: false });
      canvas.addEventListener("dblclick", () => this.reset());
      canvas.addEventListener("keydown", (e) => {
        const step = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, -0.12], ArrowDown: [0, 0.12] }[e.key];
        if (step) turn(...step);
        else if (e.key === "+" || e.key === "=") magnify(1.12);
        else if (e.key === "-") magnify(1 / 1.12);
        else if (e.key === "0") this.reset();
        else return;
        e.preventDefault();
      });
    }

    draw() {
      const { canvas } = this, ratio = Math.min(3, devicePixelRatio || 1);
      const box = canvas.getBoundingClientRect(), width = Math.round(box.width * ratio), height = Math.round(box.height * ratio);
      if (!width || !height) return;
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const g = canvas.getContext("2d"), R = product(product(this.drag, about("y", this.angle)), this.base);
      const reach = this.reach, far = 3.4 * reach, scale = 0.475 * Math.min(width, height - 56 * ratio) / reach * this.zoom * (this.perspective ? 0.955 : 1);
      const project = (p) => {
        const k = scale * (this.perspective ? far / Math.max(far - p[2], 0.2 * reach) : 1);
        return { x: width / 2 + k * p[0], y: height / 2 + 12 * ratio - k * p[1], z: p[2], k, p };
      };
      const eye = (p) => project(R.map((row) => row[0] * p[0] + row[1] * p[1] + row[2] * p[2]));
      const fog = (z) => Math.min(1, Math.max(0, 0.5 - z / (1.8 * reach)));
      g.clearRect(0, 0, width, height);
      const seen = this.atoms.map((a) => eye(a.at)), list = [];
      this.atoms.forEach((a, i) => list.push({ z: seen[i].z, draw: () => {
        const { x, y, k, z } = seen[i], r = a.radius * k;
        g.drawImage(sprite(a.symbol, Math.round(fog(z) * FOG_LEVELS)), x - r, y - r, 2 * r, 2 * r);
      } }));
      for (const [i, j] of this.bonds) this.stick(g, list, seen[i], seen[j], this.atoms[i], this.atoms[j], project, fog);
      for (const e of this.edges) {
        const p = eye(e.from), q = eye(e.to), z = (p.z + q.z) / 2;
        list.push({ z, draw: () => {
          g.strokeStyle = text(mix(e.axis < 0 ? theme.edge : theme.axes[e.axis], theme.fog, fog(z) * 0.6));
          g.lineWidth = (e.axis < 0 ? 1.1 : 1.7) * ratio;
          g.lineCap = "round";
          g.beginPath(); g.moveTo(p.x, p.y); g.lineTo(q.x, q.y); g.stroke();
        } });
      }
      list.sort((p, q) => p.z - q.z);
      for (const item of list) item.draw();
      this.axes(g, R, ratio, height);
      this.stale = false;
    }

    // A bond as two half cylinders, each from its atom's surface to the middle, with rounded ends seen in perspective.
    stick(g, list, p, q, a, b, project, fog) {
      const d = [0, 1, 2].map((k) => q.p[k] - p.p[k]), length = Math.hypot(...d), w = d.map((v) => v / length);
      const start = Math.sqrt(Math.max(0, a.radius ** 2 - BOND ** 2)), stop = length - Math.sqrt(Math.max(0, b.radius ** 2 - BOND ** 2));
      if (stop <= start) return;
      const flat = Math.hypot(w[0], w[1]), tilt = Math.abs(w[2]), along = (s) => project(p.p.map((v, k) => v + w[k] * s));
      const middle = (start + stop) / 2;
      for (const [s, t, atom] of [[start, middle, a], [middle, stop, b]]) {
        const m = along(s), n = along(t), z = (m.z + n.z) / 2;
        list.push({ z, draw: () => {
          const angle = Math.atan2(n.y - m.y, n.x - m.x), r = BOND * m.k, r2 = BOND * n.k;
          const nx = -Math.sin(angle), ny = Math.cos(angle), base = rgb(elements[atom.symbol].colour), depth = fog(z) * FOG;
          const shade = (f) => text(mix(base.map((v) => v * f), theme.fog, depth));
          if (flat > 0.05) {
            const side = nx * -0.6 + ny * -0.8 > 0 ? 1 : -1; // the lit side is up and left
            const paint = g.createLinearGradient(m.x - nx * r * side, m.y - ny * r * side, m.x + nx * r * side, m.y + ny * r * side);
            paint.addColorStop(0, shade(0.5)); paint.addColorStop(0.62, shade(1)); paint.addColorStop(1, shade(0.72));
            g.fillStyle = paint;
          } else g.fillStyle = shade(0.95);
          g.beginPath();
          g.ellipse(m.x, m.y, Math.max(0.3, r * tilt), r, angle, Math.PI / 2, 1.5 * Math.PI);
          g.ellipse(n.x, n.y, Math.max(0.3, r2 * tilt), r2, angle, -Math.PI / 2, Math.PI / 2);
          g.closePath();
          g.fill();
        } });
      }
    }

    axes(g, R, ratio, height) {
      const size = 19 * ratio, x0 = 30 * ratio, y0 = height - 30 * ratio;
      g.font = `600 ${11 * ratio}px system-ui, sans-serif`;
      g.textAlign = "center"; g.textBaseline = "middle"; g.lineCap = "round"; g.lineWidth = 1.8 * ratio;
      this.scene.cell.map((v, i) => { const u = unit(v); return { i, d: R.map((row) => row[0] * u[0] + row[1] * u[1] + row[2] * u[2]) }; })
        .sort((p, q) => p.d[2] - q.d[2]).forEach(({ i, d }) => {
          g.strokeStyle = g.fillStyle = text(theme.axes[i]);
          g.beginPath(); g.moveTo(x0, y0); g.lineTo(x0 + d[0] * size, y0 - d[1] * size); g.stroke();
          g.fillText("abc"[i], x0 + d[0] * (size + 7 * ratio), y0 - d[1] * (size + 7 * ratio));
        });
    }
  }

  function start(data, canvases) {
    elements = data.elements;
    readTheme();
    const views = canvases.map((c) => new View(c, data.scenes[c.dataset.scene])), byCanvas = new Map(views.map((v) => [v.canvas, v]));
    let running = false, last = 0;
    const wake = () => { if (!running) { running = true; requestAnimationFrame(tick); } };
    const tick = (now) => {
      const step = Math.min(0.1, (now - last) / 1000), turning = step > 0.03; // about 30 pictures a second
      let alive = false;
      for (const v of views) if (v.visible) {
        const moves = !v.touched && !still.matches;
        if (moves && turning) { v.angle += TURN * step; v.stale = true; }
        if (v.stale) v.draw();
        alive ||= moves || v.pointers.size > 0;
      }
      if (turning) last = now;
      running = alive && !document.hidden;
      if (running) requestAnimationFrame(tick);
    };
    const seen = new IntersectionObserver((entries) => {
      for (const e of entries) { const v = byCanvas.get(e.target); v.visible = e.isIntersecting; v.stale = true; }
      wake();
    }, { rootMargin: "80px" });
    const sized = new ResizeObserver((entries) => { for (const e of entries) byCanvas.get(e.target).stale = true; wake(); });
    for (const v of views) {
      seen.observe(v.canvas); sized.observe(v.canvas);
      for (const kind of ["pointerdown", "pointermove", "wheel", "keydown", "dblclick"]) v.canvas.addEventListener(kind, wake);
    }
    const all = () => { for (const v of views) v.stale = true; };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readTheme(); all(); wake(); });
    document.addEventListener("visibilitychange", wake);
    addEventListener("beforeprint", () => { readTheme(); for (const v of views) v.draw(); });
    addEventListener("afterprint", () => { readTheme(); all(); wake(); });
    return { of: (canvas) => byCanvas.get(canvas), wake };
  }
  return { start };
})();
