package journey

import (
	"testing"
)

// SMART LAU-01, LAU-05, CTX-01..04: the EHR opens the app for one patient and
// visit; the handle works once.
func TestDoctorHaleOpensTheAppFromTheRecordsSystem(t *testing.T) {
	w := newWorld(t)
	hale := w.newBrowser()
	hale.visit(w.ready.EHRSimulator)
	hale.inspect("hale-1-patients")
	hale.fill("#q", "Rosa Alv")
	hale.click("form button")
	hale.until("the patients found", "location.search")
	hale.click("a[data-patient=rosa]")
	hale.heading("Open an app for Rosa Alvarez")
	encounter := eval[string](hale, "document.getElementById('encounter').value")
	if encounter == "" {
		t.Error("the simulator knows no open visit of Rosa's")
	}
	hale.choose("user", "Practitioner/dr-hale")
	hale.click("main form details > summary")
	hale.choose("need_patient_banner", "true")
	hale.inspect("hale-2-launch")
	hale.click("#show")
	hale.until("the link", "document.getElementById('open')")
	link := eval[string](hale, "document.getElementById('open').href")
	hale.inspect("hale-3-link")
	hale.click("#open")

	a := app{hale}
	hale.signIn("hale")
	hale.consent()
	hale.says("Rosa Alvarez", "Dr. Hale", "Heart Diary would see:")
	hale.inspect("hale-4-consent")
	hale.click("button[value=allow]")
	a.stage("connected")
	a.settled("Connected.")
	a.shots("hale-5-connected")
	for name, want := range map[string]string{"patient": "rosa", "encounter": encounter, "need_patient_banner": "true"} {
		if got := a.context(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	hale.says("Rosa Alvarez", "Hale")
	if n := a.world.fetchAll(a.tokens().AccessToken, "MedicationRequest", "patient=rosa"); n == 0 {
		t.Error("no medicine was read")
	}

	again := app{hale.another()}
	again.visit(link)
	again.stage("failed")
	if code := eval[string](again.tab, "document.getElementById('error-code').textContent"); code != "invalid_request" && code != "access_denied" {
		t.Errorf("the replayed launch gave %q", code)
	}
	again.shots("hale-6-replay")
}

// choose picks an entry of a drop-down list.
func (b *tab) choose(id, value string) {
	b.t.Helper()
	ok := eval[bool](b, `(() => { const s = document.getElementById(`+quote(id)+`); s.value = `+quote(value)+`; s.dispatchEvent(new Event('change', {bubbles: true})); return s.value === `+quote(value)+`; })()`)
	if !ok {
		b.t.Fatalf("%s has no entry %q", id, value)
	}
}
