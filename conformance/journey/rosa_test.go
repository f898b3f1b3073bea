package journey

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// SMART AZ-01, SCP-20, CO-01: a patient connects an app, chooses what it may
// see, finds it in her list, ends it, and the app is refused.
func TestRosaConnectsAnAppAndEndsIt(t *testing.T) {
	w := newWorld(t)
	rosa := w.newBrowser()
	a := rosa.openApp("all")
	a.inspect("rosa-1-app")
	a.click("#connect")
	rosa.until("the sign-in page", "location.pathname === '/signin'")
	rosa.says("Heart Diary")
	rosa.inspect("rosa-2-signin")
	rosa.signIn("rosa")
	offered := chooseForRosa(rosa)
	rosa.inspect("rosa-3-consent")
	rosa.click("button[value=allow]")

	a.stage("connected")
	a.settled("Connected.")
	a.inspect("rosa-4-connected")
	checkRosasData(a, offered)
	checkLiveCount(a, offered)
	endConnection(a)
	checkActivity(rosa)
}

// chooseForRosa narrows the consent page and gives what was offered.
func chooseForRosa(b *tab) map[string]row {
	b.t.Helper()
	b.consent()
	b.says("Heart Diary", "Example Labs", "Rosa Alvarez", "+1 555 0100")
	rows := b.rows()
	for field, r := range rows {
		if strings.HasPrefix(field, "topic.") && r.Checked {
			b.t.Errorf("%s is sensitive and ticked beforehand", r.Label)
		}
		if r.kind() != "" && r.kind() != "rest" && !r.Checked {
			b.t.Errorf("%s is not ticked beforehand", r.Label)
		}
	}
	if !slices.ContainsFunc(slicesOf(rows), func(r row) bool { return strings.HasPrefix(r.Field, "topic.") }) {
		b.t.Error("no sensitive kind is offered, although the record has some")
	}
	b.tick("kind.AllergyIntolerance", false)
	b.click("details:has(fieldset input[name='kind.Observation.how']) > summary")
	b.click("input[name='kind.Observation.how'][value=only]")
	b.tick("cat.Observation.laboratory", true)
	if !b.rows()["keep"].Checked || !b.has("input[name=keep_for][value='3m']:checked") {
		b.t.Error("“3 months” is not offered first")
	}
	return rows
}

func slicesOf(rows map[string]row) []row {
	var out []row
	for _, r := range rows {
		out = append(out, r)
	}
	return out
}

// checkRosasData looks at what the app got and what it was refused.
func checkRosasData(a app, offered map[string]row) {
	a.t.Helper()
	got, refused := a.data(), a.refused()
	if said := refused["AllergyIntolerance"]; !strings.Contains(said, "not allowed (403): ") || strings.Contains(said, "no reason given") {
		a.t.Errorf("the unticked kind was refused with %q", said)
	}
	if n, ok := got["AllergyIntolerance"]; ok {
		a.t.Errorf("the unticked kind was read: %d", n)
	}
	checkCounts(a, offered)
	for kind, said := range refused {
		if kind != "AllergyIntolerance" {
			a.t.Errorf("%s was refused although it was ticked: %s", kind, said)
		}
	}
	granted := a.granted()
	if !slices.ContainsFunc(granted, func(s string) bool {
		return strings.HasPrefix(s, "patient/Observation.rs?category=") && strings.HasSuffix(s, "laboratory")
	}) || slices.ContainsFunc(granted, func(s string) bool { return strings.Contains(s, "AllergyIntolerance") || strings.Contains(s, "*") }) {
		a.t.Errorf("granted: %q", granted)
	}
	if a.context("patient") != "rosa" {
		a.t.Errorf("patient %q", a.context("patient"))
	}
}

// checkCounts fetches every kind as far as it goes and compares with the number
// that stood on the consent page (CO-05).
func checkCounts(a app, offered map[string]row) {
	a.t.Helper()
	token := a.tokens().AccessToken
	compared := 0
	for kind := range a.data() {
		r, ok := offered["kind."+kind]
		if kind == "Observation" {
			r = offered["cat.Observation.laboratory"]
		}
		if !ok || r.Count < 0 || kind == "Patient" {
			continue
		}
		compared++
		if n := a.world.fetchAll(token, kind, "patient=rosa"); n != r.Count {
			a.t.Errorf("%s: the consent page said %d, the token fetched %d", kind, r.Count, n)
		}
	}
	if compared < 10 {
		a.t.Errorf("only %d kinds could be compared: %v", compared, offered)
	}
	if offered["cat.Observation.laboratory"].Count >= offered["kind.Observation"].Count {
		a.t.Error("narrowing to laboratory results leaves nothing out")
	}
}

// checkLiveCount writes at the upstream and looks at the next consent page.
func checkLiveCount(a app, before map[string]row) {
	a.t.Helper()
	a.world.post(a.world.ready.Upstream+"/Observation", "", fmt.Sprintf(`{"resourceType":"Observation","status":"final",
		"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]},
		"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],
		"code":{"coding":[{"system":"http://loinc.org","code":"718-7","display":"Hemoglobin"}]},
		"subject":{"reference":"Patient/rosa"},"effectiveDateTime":"2026-01-02","valueQuantity":{"value":%d,"unit":"g/dL"}}`, 12), 201, nil)
	second := app{a.another()}
	second.openApp("all")
	second.click("#connect")
	second.consent()
	rows := second.rows()
	for _, field := range []string{"kind.Observation", "cat.Observation.laboratory"} {
		if rows[field].Count != before[field].Count+1 {
			a.t.Errorf("%s: %d after one more was written, was %d", field, rows[field].Count, before[field].Count)
		}
	}
	second.click("button[value=deny]")
	second.stage("failed")
}

// endConnection ends the app under “Connected apps” in another tab.
func endConnection(a app) {
	a.t.Helper()
	list := a.another()
	list.visit("/apps")
	list.heading("Connected apps")
	list.says("Heart Diary", "Example Labs")
	if used := list.text("td[data-label='Last used']"); used == "" || strings.Contains(used, "not used") {
		a.t.Errorf("last used: %q", used)
	}
	list.inspect("rosa-5-apps")
	list.click("th[scope=row] a")
	list.until("the page of the app", "/^.apps.[^/]+$/.test(location.pathname)")
	list.inspect("rosa-6-app")
	list.visit("/apps")
	list.click("td.do a")
	list.heading("End the access of Heart Diary?")
	list.inspect("rosa-7-end")
	list.click("button[value=end]")
	list.heading("Connected apps")
	list.says("Heart Diary can no longer see the record.")
	list.inspect("rosa-8-ended")

	a.click("#reload")
	a.settled("Access has ended.")
	if left := a.data(); len(left) > 0 {
		a.t.Errorf("the app still reads %v", left)
	}
	for kind, said := range a.refused() {
		if !strings.Contains(said, "access has ended (401)") {
			a.t.Errorf("%s: %q", kind, said)
		}
	}
	a.click("#refresh")
	a.settled("Refresh was refused: invalid_grant")
	a.inspect("rosa-9-refused")
}

// checkActivity reads “Who looked at my record” (AU-20).
func checkActivity(b *tab) {
	b.t.Helper()
	list := b.another()
	list.visit("/activity")
	list.heading("Who looked at my record")
	list.says("Rosa Alvarez", "Heart Diary", "looked at", "let Heart Diary see", "ended the access of Heart Diary", "was not allowed")
	list.inspect("rosa-10-activity")
	list.click("details.fold > summary")
	list.choose("f-app", "demo-app")
	list.click("form.filter button")
	list.until("the filtered list", "location.search.includes('app=demo-app')")
	list.says("Heart Diary")
	for path, heading := range map[string]string{"/people": "People with access", "/home": "Hello, Rosa Alvarez"} {
		list.visit(path)
		list.heading(heading)
		list.inspect("rosa-" + strings.TrimPrefix(path, "/"))
	}
	list.visit("/people")
	list.says("Elena Alvarez can see your")
}

// SMART AZ-10: a refusal reaches the app, and the app says so kindly.
func TestRosaSaysNo(t *testing.T) {
	w := newWorld(t)
	rosa := w.newBrowser()
	a := rosa.openApp("all")
	a.click("#connect")
	rosa.signIn("rosa")
	rosa.consent()
	rosa.click("button[value=deny]")
	a.stage("failed")
	a.says("Access to the health record was not allowed.", "Nothing was shared.")
	if code := eval[string](rosa, "document.getElementById('error-code').textContent"); code != "access_denied" {
		t.Errorf("error %q", code)
	}
	a.inspect("denied-app")
	list := rosa.another()
	list.visit("/apps")
	list.says("No app is connected.")
}
