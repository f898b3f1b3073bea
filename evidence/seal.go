package evidence

import "encoding/json"

// Sealed is what a Provenance says of a version that the server signed.
type Sealed struct {
	// Target is the versioned reference, such as Consent/x/_history/2.
	Target string
	// Seal is the detached JWS, "" where there is none.
	Seal string
}

// SealOf reads the Seal of a Provenance that Change.Provenance wrote. Errors: that
// of a record which cannot be read.
func SealOf(r Record) (Sealed, error) {
	var in struct {
		Target    []reference
		Signature []struct {
			SigFormat string `json:"sigFormat"`
			Data      []byte
		}
	}
	if err := json.Unmarshal(r.JSON, &in); err != nil {
		return Sealed{}, err
	}
	var out Sealed
	if len(in.Target) > 0 {
		out.Target = in.Target[0].Reference
	}
	for _, s := range in.Signature {
		if s.SigFormat == sealFormat {
			out.Seal = string(s.Data)
		}
	}
	return out, nil
}
