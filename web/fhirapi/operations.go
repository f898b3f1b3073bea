package fhirapi

import (
	"encoding/json"
	"strings"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// The operations of the consent-management guide (TF-25): [base]/Consent/$fileConsent
// and [base]/Consent/$revokeConsent, each with a Parameters resource.
const (
	operationFile   = "fileConsent"
	operationRevoke = "revokeConsent"
)

// Plain gives the interaction that an operation on Consents stands for, so that it
// is judged, recorded and answered as that: $fileConsent creates the Consent that it
// carries, $revokeConsent updates the one that it names. Other requests come back as
// they are. Errors: errs.Invalid naming the parameter at fault; errs.Unprocessable
// for documents, which are not kept here.
func Plain(r rest.Request) (rest.Request, error) {
	if r.Interaction != rest.Operation || r.Type != "Consent" || r.ID != "" || !r.Posted {
		return r, nil
	}
	switch r.Operation {
	case operationFile:
		in, err := readParameters(r.Body)
		if err != nil {
			return r, err
		}
		// What cannot be parsed is named by the validation that follows.
		if c, err := consent.Parse(in.consent); err == nil && in.patient != "" && c.Patient != in.patient {
			return r, errs.New(errs.Invalid, "operation-patient", "The parameter patient must hold the Patient of the Consent.")
		}
		res, err := view.Scan(in.consent)
		if err != nil {
			return r, err
		}
		r.Interaction, r.Body, r.Resource = rest.Create, in.consent, &res
	case operationRevoke:
		in, err := readParameters(r.Body)
		if err != nil {
			return r, err
		}
		c, err := consent.Parse(in.consent)
		switch {
		case err != nil:
			return r, err
		case !fhir.ValidID(c.ID):
			return r, errs.New(errs.Invalid, "operation-consent", "The parameter consent must hold a Consent with its id.")
		case c.Patient == "" || in.patient != "" && in.patient != c.Patient:
			return r, errs.New(errs.Invalid, "operation-patient", "The parameter patient must hold the Patient of the Consent.")
		}
		res, err := view.Scan(in.consent)
		if err != nil {
			return r, err
		}
		r.Interaction, r.ID, r.Body, r.Resource = rest.Update, c.ID, in.consent, &res
	}
	return r, nil
}

type parameters struct {
	consent json.RawMessage
	// patient is the logical id of the Patient, "" when none was given.
	patient string
}

// readParameters reads the input of both operations. The guide writes the names of
// the parameters in two ways.
func readParameters(raw []byte) (out parameters, err error) {
	var in struct {
		Type      string `json:"resourceType"`
		Parameter []struct {
			Name     string          `json:"name"`
			Resource json.RawMessage `json:"resource"`
		} `json:"parameter"`
	}
	if err := json.Unmarshal(raw, &in); err != nil || in.Type != "Parameters" {
		return out, errs.New(errs.Invalid, "operation-parameters", "The operation takes a Parameters resource.")
	}
	for _, p := range in.Parameter {
		switch strings.ToLower(p.Name) {
		case "consent":
			if out.consent != nil {
				return out, errs.New(errs.Invalid, "operation-consent", "The parameter consent may be there once only.")
			}
			out.consent = p.Resource
		case "patient":
			res, err := view.Scan(p.Resource)
			if err != nil || res.Type != "Patient" || out.patient != "" {
				return out, errs.New(errs.Invalid, "operation-patient", "The parameter patient must hold the Patient of the Consent.")
			}
			out.patient = res.ID
		case "document", "questionnaire":
			return out, errs.New(errs.Unprocessable, "operation-documents",
				"Documents are not kept with a Consent: store them at the FHIR server first, and name one in Consent.sourceReference.")
		default:
			return out, errs.New(errs.Invalid, "operation-parameter-unknown", "The operation has no such parameter.")
		}
	}
	if out.consent == nil || view.TypeOf(out.consent) != "Consent" {
		return out, errs.New(errs.Invalid, "operation-consent", "The parameter consent must hold a Consent.")
	}
	return out, nil
}

// revoked gives what a $revokeConsent leaves of the stored Consent: all but its
// status (LC-10). What else the caller sent does not count.
func revoked(stored Item, tenant string, body []byte) ([]byte, error) {
	mine, err := consent.Parse(stored.Raw)
	if err != nil {
		return nil, err
	}
	if theirs, err := consent.Parse(body); err != nil || theirs.Patient != mine.Patient {
		return nil, errs.New(errs.Unprocessable, "operation-patient", "The stored Consent is about another patient.")
	}
	next, err := consent.Revoke(consent.Record{Tenant: tenant, ID: stored.Ref.ID, Version: stored.Version, JSON: stored.Raw}, stored.Updated)
	return next.JSON, err
}

// ended reports whether a Consent has ended before.
func ended(raw []byte) bool {
	c, err := consent.Parse(raw)
	return err == nil && (c.Status == "inactive" || c.Status == "rejected" || c.Status == "entered-in-error")
}
