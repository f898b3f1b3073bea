package journey

import (
	"strings"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// axeRun checks WCAG 2.2 AA, the good practices, and the stricter contrast of
// 7:1 and target size that the house asks for.
const axeRun = `axe.run(document, {
	runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
	rules: {'color-contrast-enhanced': {enabled: true}, 'target-size': {enabled: true}},
	resultTypes: ['violations'], elementRef: false,
}).then((r) => r.violations.map((v) => v.id + ': ' + v.help + ': ' + v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(', ')))`

// overflow lists what leaves the window sideways or hides its own text.
const overflow = `(() => {
	const out = [], width = document.documentElement.clientWidth;
	if (document.scrollingElement.scrollWidth > width) out.push('the page scrolls sideways: ' + document.scrollingElement.scrollWidth);
	const scrolls = (e) => { for (; e; e = e.parentElement) if (/auto|scroll/.test(getComputedStyle(e).overflowX)) return true; return false; };
	for (const e of document.body.querySelectorAll('*')) {
		if (!e.checkVisibility({visibilityProperty: true}) || e.closest('.unseen, .skip') || e.tagName === 'INPUT') continue;
		const r = e.getBoundingClientRect(), style = getComputedStyle(e);
		if (r.width <= 1) continue; // for screen readers only
		const name = e.tagName.toLowerCase() + '.' + e.className + ' “' + e.textContent.trim().slice(0, 40) + '”';
		if (r.width > 0 && r.right > width + 1 && !scrolls(e)) out.push('outside the window: ' + name);
		if (/hidden|clip/.test(style.overflowX) && e.scrollWidth > e.clientWidth + 1) out.push('cut off: ' + name);
	}
	return out.slice(0, 5);
})()`

// spacing is the text spacing of WCAG 1.4.12; a constructed style sheet is not
// subject to the page's policy.
const spacing = `(() => {
	const s = new CSSStyleSheet();
	s.replaceSync('* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-block-end: 2em !important }');
	document.adoptedStyleSheets = [s];
	return true;
})()`

// small lists targets that are lower or narrower than 44 px. A tick box counts
// together with its label; a link inside a sentence is exempt (WCAG 2.5.8).
const small = `[...document.querySelectorAll('button, summary, select, .button, main input:not([type=hidden])')].filter((e) => e.checkVisibility()).map((e) => {
	let r = e.getBoundingClientRect(), w = r.width, h = r.height;
	if (/checkbox|radio/.test(e.type)) {
		const l = document.querySelector('label[for="' + e.id + '"]').getBoundingClientRect();
		h = Math.max(h, l.height); w += l.width;
	}
	return {w, h, name: e.tagName.toLowerCase() + ' ' + (e.name || e.textContent.trim())};
}).filter((x) => x.h < 43.5 || x.w < 43.5).map((x) => x.name + ': ' + Math.round(x.w) + '×' + Math.round(x.h)).slice(0, 5)`

// audit runs axe-core on the page as it stands.
func (b *tab) audit(what string) {
	b.t.Helper()
	if !eval[bool](b, "'axe' in window") {
		b.run(chromedp.Evaluate(shared.axe+"; true", nil))
	}
	var found []string
	if err := b.try(chromedp.Evaluate(axeRun, &found, awaited)); err != nil {
		b.t.Errorf("%s: axe: %v", what, err)
	}
	b.report(what, found)
}

// awaited waits for the promise that an expression gives.
func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

func (b *tab) report(what string, found []string) {
	b.t.Helper()
	for _, f := range found {
		b.t.Errorf("%s: %s", what, f)
	}
}

// fits looks for anything that needs scrolling sideways: on a phone, at 400 %,
// and with wide text spacing (WCAG 1.4.10, 1.4.12).
func (b *tab) fits(what string) {
	b.t.Helper()
	b.window(phone)
	b.report(what+" at 320 px", eval[[]string](b, overflow))
	b.report(what+" at 320 px, target", eval[[]string](b, small))
	b.window(zoomed)
	b.report(what+" at 400 %", eval[[]string](b, overflow))
	b.window(phone)
	eval[bool](b, spacing)
	b.report(what+" with wide spacing", eval[[]string](b, overflow))
	eval[bool](b, "(document.adoptedStyleSheets = []).length === 0")
	b.window(wide)
}

// inspect looks at a live page in every way and keeps its pictures.
func (b *tab) inspect(name string) {
	b.t.Helper()
	b.shots(name)
	b.audit(name)
	b.fits(name)
	b.dark(true)
	b.audit(name + " in the dark")
	b.shot(name + "-dark")
	b.dark(false)
}

// tabbable marks what the keyboard must reach; of a group of radio buttons one
// is reached, the others by arrow. What is hidden from people on purpose is not.
const tabbable = `(() => {
	const groups = new Set();
	let n = 0;
	for (const e of document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')) {
		delete e.dataset.walk;
		if (e.tabIndex < 0 && e.closest('[aria-hidden=true]')) continue;
		if (e.disabled || !e.checkVisibility({visibilityProperty: true})) continue;
		if (e.type === 'radio') {
			const all = [...document.getElementsByName(e.name)];
			if (groups.has(e.name) || (all.some((r) => r.checked) && !e.checked)) continue;
			groups.add(e.name);
		}
		e.dataset.walk = String(n++);
	}
	document.activeElement.blur();
	return n;
})()`

// focused tells about the element that has the focus.
const focused = `(() => {
	const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
	return {walk: e.dataset.walk ?? '', name: e.tagName.toLowerCase() + ' ' + (e.name || e.textContent.trim()).slice(0, 40),
		ring: s.outlineStyle !== 'none' ? parseFloat(s.outlineWidth) : 0,
		seen: r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth};
})()`

type focus struct {
	Walk string  `json:"walk"`
	Name string  `json:"name"`
	Ring float64 `json:"ring"`
	Seen bool    `json:"seen"`
}

// walk presses Tab through the page and wants every control to be reached with
// a mark of at least 3 px, inside the window (WCAG 2.1.1, 2.4.7, 2.4.11).
func (b *tab) walk(what string) {
	b.t.Helper()
	left := eval[int](b, tabbable)
	reached := map[string]bool{}
	for range left + 5 {
		b.press(kb.Tab)
		f := eval[focus](b, focused)
		if f.Walk == "" || reached[f.Walk] {
			break
		}
		reached[f.Walk] = true
		if f.Ring < 3 || !f.Seen {
			b.t.Errorf("%s: the focus on %s is not visible (ring %.1f px, in the window: %v)", what, f.Name, f.Ring, f.Seen)
		}
	}
	if len(reached) != left {
		missed := eval[[]string](b, `[...document.querySelectorAll('[data-walk]')].map((e) => e.dataset.walk + ' ' + e.tagName + ' ' + (e.name || e.textContent.trim()))`)
		missed = without(missed, reached)
		b.t.Errorf("%s: Tab reached %d of %d controls; not %s", what, len(reached), left, strings.Join(missed, ", "))
	}
}

func without(all []string, reached map[string]bool) []string {
	var out []string
	for _, line := range all {
		n, name, _ := strings.Cut(line, " ")
		if !reached[n] {
			out = append(out, name)
		}
	}
	return out
}

// tabTo presses Tab until an element has the focus.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 200 {
		if eval[bool](b, "document.activeElement.matches("+quote(selector)+")") {
			return
		}
		b.press(kb.Tab)
	}
	b.t.Fatalf("Tab does not reach %s", selector)
}
