package flow

import (
	"encoding/json"
	"slices"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// The codes of a Task that asks for an EHR launch (SMART App Launch 2.2, Task
// profile for EHR launch).
const (
	systemSMART     = "http://hl7.org/fhir/smart-app-launch/CodeSystem/smart-codes"
	codeLaunch      = "launch-app-ehr"
	inputApp        = "smartonfhir-application"
	inputAppContext = "smartonfhir-appcontext"
)

// maxAppContext is the longest context that a Task may hand to an app, in bytes.
const maxAppContext = 8 << 10

// concept is a CodeableConcept.
type concept struct {
	Coding []fhir.Coding `json:"coding"`
}

func (c concept) is(code string) bool {
	return slices.ContainsFunc(c.Coding, func(one fhir.Coding) bool { return one.System == systemSMART && one.Code == code })
}

// launchTask is what is read of a Task.
type launchTask struct {
	Type   string  `json:"resourceType"`
	Status string  `json:"status"`
	Code   concept `json:"code"`
	For    struct {
		Reference string `json:"reference"`
	} `json:"for"`
	Encounter struct {
		Reference string `json:"reference"`
	} `json:"encounter"`
	Input []struct {
		Type   concept `json:"type"`
		URL    string  `json:"valueUrl"`
		String string  `json:"valueString"`
	} `json:"input"`
}

// fromTask fills the context of a launch from the Task that asks for it, and
// gives the app's launch URL that the Task names (SMART CTX-22). The URL must be
// a registered one, and what the EHR says besides must not differ. Errors:
// errs.Invalid.
func fromTask(raw []byte, app oauth.Client, c *oauth.Context) (launch string, err error) {
	bad := errs.New(errs.Invalid, "launch-context-malformed", "The member task of the launch context is not a Task that asks for a launch of this app.")
	var t launchTask
	if json.Unmarshal(raw, &t) != nil || t.Type != "Task" || !t.Code.is(codeLaunch) ||
		!slices.Contains([]string{"requested", "received", "accepted", "ready", "in-progress"}, t.Status) {
		return "", bad
	}
	for _, in := range t.Input {
		switch {
		case in.Type.is(inputApp) && launch == "":
			launch = in.URL
		case in.Type.is(inputAppContext) && c.AppContext == "" && len(in.String) <= maxAppContext:
			c.AppContext = in.String
		case in.Type.is(inputApp), in.Type.is(inputAppContext):
			return "", bad
		}
	}
	if !slices.Contains(app.LaunchURIs, launch) || !agree(t.For.Reference, "Patient", &c.Patient) || !agree(t.Encounter.Reference, "Encounter", &c.Encounter) {
		return "", bad
	}
	return launch, nil
}

// agree puts the id of a reference into a member that says nothing yet, and
// reports whether both say the same.
func agree(reference, typ string, member *string) bool {
	if reference == "" {
		return true
	}
	ref, local := fhir.ParseReference(reference)
	if !local || ref.Type != typ || *member != "" && *member != ref.ID {
		return false
	}
	*member = ref.ID
	return true
}
