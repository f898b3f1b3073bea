package problem

import (
	"net/http"
	"strconv"

	"github.com/mandate-health/mandate/internal/errs"
)

// SCIMMedia is the content type of SCIM (RFC 7644 §8.1).
const SCIMMedia = "application/scim+json"

// scimTypes are the words of RFC 7644 §3.12 for cause codes.
var scimTypes = map[string]string{
	"scim-filter": "invalidFilter", "scim-too-many": "tooMany", "scim-path": "invalidPath", "scim-target": "noTarget",
	"scim-mutability": "mutability", "scim-value": "invalidValue", "scim-password": "invalidValue", "scim-page": "invalidValue",
	"scim-sort": "invalidValue", "scim-two-roles": "invalidValue", "scim-member-unknown": "invalidValue", "scim-group-unknown": "invalidValue",
	"scim-syntax": "invalidSyntax", "scim-attribute-unknown": "invalidSyntax", "json-malformed": "invalidSyntax",
	"json-duplicate-key": "invalidSyntax", "json-depth": "invalidSyntax",
	"scim-username-taken": "uniqueness", "scim-external-id-taken": "uniqueness", "scim-email-taken": "uniqueness", "scim-key-taken": "uniqueness",
	"scim-practitioner-taken": "uniqueness", "scim-group-exists": "uniqueness", "username-taken": "uniqueness",
}

// SCIM writes the error of RFC 7644 §3.12, with the cause code beside it.
func (p *Writer) SCIM(w http.ResponseWriter, r *http.Request, err error) {
	e, row := p.begin(w, r, err)
	p.demand(w, r, e, row, "")
	status := row.status
	if e.Kind == errs.NotSupported {
		status = http.StatusNotImplemented
	}
	write(w, SCIMMedia, status, struct {
		Schemas []string `json:"schemas"`
		Type    string   `json:"scimType,omitempty"`
		Detail  string   `json:"detail"`
		Status  string   `json:"status"`
		Code    string   `json:"code"`
		Docs    string   `json:"docs"`
	}{[]string{"urn:ietf:params:scim:api:messages:2.0:Error"}, scimTypes[e.Code], e.Msg, strconv.Itoa(status), e.Code, p.link(e)})
}
