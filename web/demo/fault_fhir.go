package demo

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// fhirTrip is what the cases need: reading the person, reading and writing
// measurements, and nothing else.
const fhirTrip = "launch/patient patient/Patient.rs patient/Observation.crs"

// badObservation has a number where FHIR wants a code (Observation.status).
const badObservation = `{"resourceType":"Observation","status":7,"code":{"text":"Test"}}`

// outcome401 and outcomeOf expect an OperationOutcome.
func outcome401(source string) expectation {
	return expectation{Words: "401 with WWW-Authenticate: Bearer and an OperationOutcome", Source: source, Status: []int{http.StatusUnauthorized}, Outcome: true, Bearer: true}
}

func outcomeOf(words, source string, status ...int) expectation {
	return expectation{Words: words + " with an OperationOutcome", Source: source, Status: status, Outcome: true}
}

func fhirFaults() []fault {
	token := &want{Label: "Access token"}
	tokenFor := &want{Label: "Access token", Patient: true}
	malformed := outcomeOf("400", "FHIR R4 §3.1.0.8", http.StatusBadRequest)
	malformed.Words, malformed.Names = "400 with an OperationOutcome that names the element status", "status"
	return []fault{
		{ID: "no-token", Title: "No access token", Expect: outcome401("RFC 6750 §3, SMART TOK-12"), run: func(ctx context.Context, s *server, _ input) exchange {
			return s.read(ctx, "Patient", "")
		}},
		{ID: "garbage-token", Title: "An access token that nobody gave out", Expect: outcome401("RFC 6750 §3.1"), run: func(ctx context.Context, s *server, _ input) exchange {
			return s.read(ctx, "Patient", "not-a-token")
		}},
		{
			ID: "expired-token", Title: "An access token that has expired", Expect: outcome401("SMART TOK-12"), Wants: &want{Label: "Access token that has expired"},
			Explain: "Take an access token, wait until it has expired, or move Mandate’s clock by POST {\"advance\":\"2h\"} to the clock address in the ready file. Then paste the token here.",
			run:     func(ctx context.Context, s *server, in input) exchange { return s.read(ctx, "Patient", in.Value) },
		},
		{ID: "ungranted-type", Title: "A kind of data that was not granted", Expect: outcomeOf("403", "SMART §6.1", http.StatusForbidden), Wants: tokenFor, run: func(ctx context.Context, s *server, in input) exchange {
			return s.read(ctx, "Condition?patient="+in.Patient, in.Value)
		}},
		{ID: "other-patient", Title: "The record of another patient", Expect: outcomeOf("403 or 404", "SMART SCP-13", http.StatusForbidden, http.StatusNotFound), Wants: tokenFor, run: func(ctx context.Context, s *server, in input) exchange {
			return s.read(ctx, "Patient/"+s.otherPatient(ctx, in.Patient), in.Value)
		}},
		{ID: "malformed-body", Title: "A resource that is not valid FHIR", Expect: malformed, Wants: token, run: func(ctx context.Context, s *server, in input) exchange {
			return s.call(ctx, http.MethodPost, s.cfg.FHIRBase+"/Observation", "application/fhir+json", badObservation, bearer(in.Value))
		}},
		{ID: "unknown-operation", Title: "An operation that does not exist", Expect: outcomeOf("a 4xx", "SMART §6.2", http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed), Wants: tokenFor, run: func(ctx context.Context, s *server, in input) exchange {
			return s.read(ctx, "Patient/"+in.Patient+"/$read-the-stars", in.Value)
		}},
	}
}

func bearer(token string) map[string]string {
	h := map[string]string{"Accept": "application/fhir+json"}
	if token != "" {
		h["Authorization"] = "Bearer " + token
	}
	return h
}

func (s *server) read(ctx context.Context, path, token string) exchange {
	return s.call(ctx, http.MethodGet, s.cfg.FHIRBase+"/"+path, "", "", bearer(token))
}

// otherPatient gives the id of any patient but one.
func (s *server) otherPatient(ctx context.Context, id string) string {
	if all, err := s.cfg.Patients(ctx); err == nil {
		for _, p := range all {
			if p.ID != id {
				return p.ID
			}
		}
	}
	return "another"
}

// afterTrip runs all cases of the FHIR group that take a token, but for the
// one that needs an expired one, with the token of a fresh code.
func (s *server) afterTrip(ctx context.Context, in input) []outcome {
	x := s.exchangeCode(ctx, in, faultVerifier, s.callbackURL())
	var answer struct {
		Token   string `json:"access_token"`
		Patient string `json:"patient"`
		Scope   string `json:"scope"`
	}
	if err := json.Unmarshal([]byte(x.Body), &answer); err != nil || answer.Token == "" {
		return []outcome{{ID: "fhir", Title: "Getting a token", Expected: "200 with an access token", Source: "RFC 6749 §5.1", Exchange: x, Note: "There is no token to try the cases with."}}
	}
	in.Value, in.Patient = answer.Token, answer.Patient
	var out []outcome
	for _, f := range fhirFaults() {
		if f.ID == "expired-token" {
			continue
		}
		o := s.judge(f, f.run(ctx, s, in))
		if f.ID == "malformed-body" && !strings.Contains(answer.Scope, "Observation.c") {
			o.Note = "Adding measurements was not allowed, so the body was not looked at. Run the cases again and tick “Add measurements” on the page that asks."
		}
		out = append(out, o)
	}
	return out
}
