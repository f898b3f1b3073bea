package store

import (
	"cmp"
	"strings"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/oauth"
)

// patientOnly begins the packed form of a launch context that is a patient and
// nothing else. Other contexts are JSON or sealed.
const patientOnly = "="

// packedGrant gives where the texts of a grant are, in the order in which they
// are packed. Another order is another form (newestForm).
func packedGrant(v *oauth.Grant) []*string {
	c := &v.Capacity
	return []*string{(*string)(&c.Kind), &c.Patient, &c.Purpose, &c.Relationship, &v.Scopes, &v.ACR}
}

// packGrant gives the short form of what nothing is looked up by. launched is the
// launch context in its stored form, and column what of it stays in its column:
// a sealed one, so that it is found when keys are replaced.
func packGrant(v oauth.Grant, launched string) (packed []byte, column string, err error) {
	if strings.HasPrefix(launched, sealedMark) {
		launched, column = "", launched
	} else if v.Context.Patient != "" {
		alone, err := doc(oauth.Context{Patient: v.Context.Patient}).text()
		if err != nil {
			return nil, "", err
		}
		if alone == launched {
			launched = patientOnly + v.Context.Patient
		}
	}
	var texts []string
	for _, text := range packedGrant(&v) {
		texts = append(texts, *text)
	}
	b := shortenAll(make([]byte, 0, 160), append(texts, v.Capacity.Acting.String(), launched))
	for _, all := range [][]string{v.Topics, v.Consents, v.AMR} {
		b = shortenAll(b, all)
	}
	return b, column, nil
}

// unpackGrant reads it, and gives the launch context in its stored form.
func unpackGrant(v *oauth.Grant, packed []byte, column string) (launched string, err error) {
	r := shortReader{b: packed}
	texts, places := r.texts(), packedGrant(v)
	if len(texts) != len(places)+2 {
		return "", errShortForm
	}
	for i, place := range places {
		*place = texts[i]
	}
	acting, launched := texts[len(places)], cmp.Or(column, texts[len(places)+1])
	v.Capacity.Acting = fhir.Reference{}
	if err := (reference{&v.Capacity.Acting}).Scan(acting); err != nil {
		return "", err
	}
	for _, all := range []*[]string{&v.Topics, &v.Consents, &v.AMR} {
		if *all = r.texts(); len(*all) == 0 {
			*all = nil
		}
	}
	if r.err != nil || len(r.b) > 0 {
		return "", errShortForm
	}
	return launched, nil
}
