package pages

import (
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/mandate-health/mandate/internal/words"
)

func TestSmoke(t *testing.T) {
	w, err := words.New()
	if err != nil {
		t.Fatal(err)
	}
	k, err := New(Deps{Words: w, Log: slog.Default(), HelpPhone: "+1 555 0100"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Page{SignIn{}, SecondFactor{}, SignedOut{}, Home{}, StaffHome{}, StaffSignIn{}, PickPatient{Choices: []PatientChoice{{Value: "a"}}}, PickEncounter{Choices: []EncounterChoice{{Value: "a"}}}, Consent{Kinds: []ConsentKind{{Field: "a"}}, Keep: &KeepChoice{Offered: []KeepFor{"3m"}}}, Done{}, ErrorPage{}, ConsentReduced{}, ConnectedApps{}, ConnectedApp{}, EndApp{}, Activity{}, People{}, Help{}, NotFound{}, Outage{}, Message{Key: "saved"}} {
		rec := httptest.NewRecorder()
		k.Render(rec, httptest.NewRequest("GET", "/x", nil), 200, p)
		if rec.Code != 200 {
			t.Errorf("%s: %d", p.Template(), rec.Code)
		}
	}
}
