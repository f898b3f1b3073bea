package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

var errRecordInside = errs.New(errs.Unprocessable, "record-in-document",
	"A document holds a record in another form (CDA, HL7 v2, or a FHIR resource): its parts cannot be judged. Send the record itself as FHIR.")

// recordMedia are the media types of records in another form than the resources that
// are judged one by one (SA-16).
var recordMedia = []string{
	"application/cda+xml", "application/ccda+xml", "application/hl7-cda+xml", "application/hl7-sda+xml", "application/hl7-v2", "application/hl7-v2+xml", "application/hl7-v2+er7",
	"application/edi-hl7", "application/edi-hl7v2", "application/x-hl7", "text/hl7v2", "text/hl7v2+xml", "x-application/hl7-v2+er7", "x-application/hl7-v2+xml",
	"application/fhir+json", "application/fhir+xml", "application/fhir+ndjson", "application/fhir+turtle", "application/json+fhir", "application/xml+fhir",
}

// recordFormats are codes by which a document says that it is one (IHE and HL7
// format codes): these beginnings.
var recordFormats = []string{"urn:hl7-org:sdwg:ccda", "urn:ihe:pcc:", "urn:ihe:lab:", "urn:hl7-org:v2"}

// checkUpload refuses documents that hold whole records: what is in them is neither
// about one patient nor labelled as far as anybody here can tell. How strictly is the
// mode of the rule "upload". Errors: errs.Unprocessable.
func (a *act) checkUpload(body []byte) error {
	mode := a.x.g.d.Modes.Of("upload")
	if mode == access.Off || !holdsRecord(body, 0) {
		return nil
	}
	if mode == access.Enforce {
		return errRecordInside
	}
	a.notice(access.Decision{WouldDeny: []access.Reason{{Rule: "upload", Code: errRecordInside.Code}}})
	return nil
}

// maxLook bounds how deep attachments are looked for; view has bounded the text.
const maxLook = 64

// holdsRecord looks at every element that has a contentType or data, and at what a
// document says its format is.
func holdsRecord(raw []byte, depth int) bool {
	if len(raw) == 0 || depth > maxLook {
		return false
	}
	switch raw[0] {
	case '[':
		items, err := view.Items(raw)
		return err == nil && slices.ContainsFunc(items, func(i json.RawMessage) bool { return holdsRecord(i, depth+1) })
	case '{':
		list, err := view.Members(raw)
		return err == nil && (recordElement(list) || slices.ContainsFunc(list, func(m view.Member) bool { return holdsRecord(m.Value, depth+1) }))
	}
	return false
}

func recordElement(list []view.Member) bool {
	var media, data string
	var format struct{ Code string }
	_ = json.Unmarshal(view.Value(list, "contentType"), &media)
	_ = json.Unmarshal(view.Value(list, "data"), &data)
	_ = json.Unmarshal(view.Value(list, "format"), &format)
	name, _, err := mime.ParseMediaType(media)
	if err != nil {
		name = strings.ToLower(strings.TrimSpace(media))
	}
	return slices.Contains(recordMedia, name) || strings.Contains(strings.ToLower(media), "profile=ccd") ||
		slices.ContainsFunc(recordFormats, func(f string) bool { return strings.HasPrefix(format.Code, f) }) || media != "" && looksLikeRecord(data)
}

// lookedAt is how much of what was attached is looked at, in bytes.
const lookedAt = 4 << 10

// looksLikeRecord looks at the beginning of what was attached, whatever it is said
// to be.
func looksLikeRecord(data string) bool {
	data = data[:min(len(data), base64.StdEncoding.EncodedLen(lookedAt))&^3]
	head, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return false
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n\v")
	switch {
	case bytes.HasPrefix(head, []byte("MSH|")), bytes.HasPrefix(head, []byte("FHS|")), bytes.HasPrefix(head, []byte("BHS|")):
		return true
	case bytes.HasPrefix(head, []byte("<")):
		return slices.ContainsFunc([]string{"urn:hl7-org:v3", "urn:hl7-org:v2xml", "<ClinicalDocument", "http://hl7.org/fhir"},
			func(mark string) bool { return bytes.Contains(head, []byte(mark)) })
	case bytes.HasPrefix(head, []byte("{")):
		return bytes.Contains(head, []byte(`"resourceType"`))
	}
	return false
}
