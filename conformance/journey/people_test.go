package journey

import (
	"encoding/json"
	"net/url"
	"strings"
)

// signIn fills in the sign-in page that the tab is at, and the code if the
// person needs one.
func (b *tab) signIn(username string) {
	b.t.Helper()
	b.password(username)
	if b.world.person(username).TOTPSecret != "" {
		b.secondFactor(username)
	}
}

func (b *tab) password(username string) {
	b.t.Helper()
	p := b.world.person(username)
	b.until("the sign-in page", "location.pathname === '/signin' || location.pathname === '/staff'")
	b.fill("#f-username", p.Username)
	b.fill("#f-password", p.Password)
	b.click("main form button.primary")
}

func (b *tab) secondFactor(username string) {
	b.t.Helper()
	b.until("the page for the code", "location.pathname === '/signin/code'")
	b.fill("#f-code", b.world.code(b.world.person(username)))
	b.click("main form button.primary")
}

// consent waits for the consent page.
func (b *tab) consent() {
	b.t.Helper()
	b.until("the consent page", "location.pathname.endsWith('/consent') && document.querySelector('button[value=allow]')")
}

// row is one line of the consent page.
type row struct {
	Field   string `json:"field"`
	Label   string `json:"label"`
	Count   int    `json:"count"`
	Checked bool   `json:"checked"`
}

// kind gives the FHIR type of a row, "" for a sensitive topic.
func (r row) kind() string {
	kind, _ := strings.CutPrefix(r.Field, "kind.")
	if kind == r.Field {
		return ""
	}
	return kind
}

// rows reads the tick boxes of data with their counts; -1 means no count.
func (b *tab) rows() map[string]row {
	b.t.Helper()
	list := eval[[]row](b, `[...document.querySelectorAll('input[type=checkbox]')].map((i) => {
		const count = document.getElementById(i.id + '-count');
		const digits = count?.textContent.replace(/\D/g, '');
		return {field: i.name, label: document.querySelector('label[for="' + i.id + '"]').innerText, checked: i.checked,
			count: count ? Number(digits) : -1};
	})`)
	out := map[string]row{}
	for _, r := range list {
		out[r.Field] = r
	}
	return out
}

// tick sets a tick box to a state.
func (b *tab) tick(field string, on bool) {
	b.t.Helper()
	selector := "input[name=" + quote(field) + "]"
	if b.rows()[field].Checked != on {
		b.click(selector)
	}
	if b.rows()[field].Checked != on {
		b.t.Fatalf("%s could not be changed", field)
	}
}

// app is the demonstration app in a tab.
type app struct{ *tab }

// stage waits for the app to say where it stands.
func (a app) stage(name string) {
	a.t.Helper()
	a.until("the app at “"+name+"”", "document.querySelector('[data-testid=demo-app]')?.dataset.stage === "+quote(name))
}

// settled waits until the app has done what it was asked and says one of the
// texts.
func (a app) settled(said ...string) {
	a.t.Helper()
	list, err := json.Marshal(said)
	if err != nil {
		a.t.Fatal(err)
	}
	a.until("the app saying “"+strings.Join(said, "” or “")+"”",
		string(list)+".some((s) => document.getElementById('status')?.innerText.includes(s))")
}

// openApp opens the app's start page with a preset.
func (b *tab) openApp(preset string) app {
	b.t.Helper()
	u, err := url.Parse(b.world.ready.DemoApp)
	if err != nil {
		b.t.Fatal(err)
	}
	u.RawQuery = url.Values{"preset": {preset}}.Encode()
	b.visit(u.String())
	a := app{b}
	a.stage("start")
	return a
}

// data gives the totals that the app fetched, by kind.
func (a app) data() map[string]int {
	a.t.Helper()
	return eval[map[string]int](a.tab, `Object.fromEntries([...document.querySelectorAll('#data > section')].map((s) => [s.id.replace('data-', ''), Number(s.dataset.count)]))`)
}

// refused gives the words about each refused kind.
func (a app) refused() map[string]string {
	a.t.Helper()
	return eval[map[string]string](a.tab, `Object.fromEntries([...document.querySelectorAll('#refused > li')].map((s) => [s.id.replace('refused-', ''), s.innerText]))`)
}

// granted gives the scopes that the app was given.
func (a app) granted() []string {
	a.t.Helper()
	return eval[[]string](a.tab, `[...document.querySelectorAll('#granted > li')].map((s) => s.dataset.scope)`)
}

// context gives a member of the launch context as the app shows it.
func (a app) context(name string) string {
	a.t.Helper()
	return eval[string](a.tab, `document.querySelector('[data-context=`+name+`]')?.textContent ?? ''`)
}
