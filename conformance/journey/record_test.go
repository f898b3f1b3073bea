package journey

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// typed reaches a field with Tab and types into it.
func (b *tab) typed(selector, text string) {
	b.t.Helper()
	b.tabTo(selector)
	b.press(text)
}

// pressed reaches a button or a link with Tab and presses Enter.
func (b *tab) pressed(selector string) {
	b.t.Helper()
	b.tabTo(selector)
	b.press(kb.Enter)
}

// secured signs Rosa in, who makes a passkey on the way to a page.
func (b *tab) secured(path string) {
	b.t.Helper()
	b.authenticator(true)
	b.visit(path)
	b.signIn("rosa")
	b.heading("My devices and sign-in")
	b.click("a.button.primary")
	b.heading("Add a passkey")
	b.fill("#f-name", "My tablet")
	b.click("main form button.primary")
	b.heading("Use your passkey")
	b.click("form[data-passkey] button")
	b.until(path, "location.pathname === "+quote(path))
}

// spoken wants a page in each language, in its direction, without a fault.
func (b *tab) spoken(path string, want map[string]string) {
	b.t.Helper()
	for _, lang := range []string{"es", "ar", "en"} {
		b.visit(path + "?lang=" + lang)
		dir := map[bool]string{true: "rtl", false: "ltr"}[lang == "ar"]
		if got := eval[string](b, "document.documentElement.lang + ' ' + document.dir"); got != lang+" "+dir {
			b.t.Errorf("%s in %s is %q", path, lang, got)
		}
		b.says(want[lang])
		b.audit(path + " in " + lang)
	}
}

// TF-14, FX-12, SP-17, SP-19: with the keyboard alone Rosa shuts somebody out, keeps a
// medicine to herself and takes a copy; the address of the copy works once, here.
func TestRosaKeepsCopiesAndShutsOut(t *testing.T) {
	w := newWorld(t)
	rosa := w.newBrowser()
	rosa.preload(shared.axe)
	rosa.secured("/people/invite")

	rosa.visit("/people/block")
	rosa.heading("Whom do you want to shut out?")
	rosa.walk("block")
	rosa.typed("#f-name", "Cal Crane")
	rosa.typed("#f-relation", "f")
	rosa.typed("#f-email", "cal@example.org")
	rosa.pressed("main form button.primary")
	rosa.until("the page of who was shut out", "document.body.innerText.includes('You have shut Cal Crane out for good.')")
	rosa.says("Cal Crane does not know this.")
	rosa.inspect("block-done")

	rosa.visit("/record/medicines")
	rosa.heading("My medicines")
	kept := eval[string](rosa, "document.querySelector('main input[name=item]').value")
	rosa.pressed("button[value=keep]")
	rosa.until("the note that it is kept", "document.body.innerText.includes('You keep this to yourself.')")
	if again := eval[string](rosa, "document.querySelector('button[value=share]').form.elements.namedItem('item').value"); again != kept {
		t.Errorf("%s is kept, not %s", again, kept)
	}
	rosa.spoken("/record/medicines", map[string]string{"en": "You keep this to yourself.", "es": "Esto lo guarda solo para usted.", "ar": "تحتفظ بهذا لنفسك."})
	rosa.pressed("button[value=share]")
	rosa.until("that it is shown again", "!document.querySelector('button[value=share]')")
	rosa.copies()
}

// copies takes a copy on paper and one as PDF.
func (b *tab) copies() {
	t := b.t
	t.Helper()
	b.visit("/record/medicines/copy")
	b.heading("How do you want the copy?")
	b.walk("copy")
	if !b.has("p.back a[href='/record/medicines']") {
		t.Error("no way back from the copy")
	}
	b.visit("/record/medicines/copy")
	b.pressed("button[value=print]")
	b.until("the copy", "location.pathname.startsWith('/copies/')")
	b.says("Copy from the record of Rosa Alvarez", "Number ")
	if got := eval[string](b, "getComputedStyle(document.querySelector('.watermark'), '::before').content"); !strings.Contains(got, "Rosa Alvarez") {
		t.Errorf("across the copy stands %s", got)
	}
	at := b.location().Path
	b.inspect("copy-print")
	stranger := b.world.newBrowser()
	stranger.visit(at)
	if status := eval[int](stranger, answered); status != 401 && stranger.location().Path == at || strings.Contains(stranger.text("body"), "Alvarez") {
		t.Errorf("another browser is shown %d: %s", status, stranger.text("main"))
	}
	b.run(chromedp.Reload())
	if status := eval[int](b, answered); status != 410 {
		t.Errorf("the copy a second time: %d", status)
	}
	b.says("What you can do")
	b.inspect("copy-used")

	b.visit("/record/medicines/copy")
	var pdf string
	b.run(chromedp.Evaluate(`(async () => {
		const form = document.querySelector('button[value=pdf]').form, body = new URLSearchParams(new FormData(form));
		body.set('answer', 'pdf');
		const r = await fetch(form.action, {method: 'POST', body});
		return btoa(Array.from(new Uint8Array(await r.arrayBuffer()), (c) => String.fromCharCode(c)).join(''));
	})()`, &pdf, awaited))
	raw, err := base64.StdEncoding.DecodeString(pdf)
	if err != nil || !strings.HasPrefix(string(raw), "%PDF-") {
		t.Fatalf("no PDF: %v %.200s", err, raw)
	}
	if err := os.WriteFile(filepath.Join(shared.pictures, "copy.pdf"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// answered is the status of the page.
const answered = "performance.getEntriesByType('navigation')[0].responseStatus"
