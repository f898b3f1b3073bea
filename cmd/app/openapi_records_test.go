package app_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// recordStories drives consents, relations, brands and launches.
func (d *driver) recordStories(t *testing.T) {
	t.Helper()
	var list struct{ Consents []json.RawMessage }
	d.admin(t, "GET", "/consents?patient=rosa", "", &list)
	copied := strings.ReplaceAll(string(list.Consents[0]), `"`+idOf(t, list.Consents[0])+`"`, `"copied"`)
	brands := string(d.admin(t, "GET", "/brands", "", nil).Body)
	client := d.Client("public").ID
	ehr, _ := d.ClientByID(d.LaunchAPI.ClientID)
	basic := func(secret string) map[string]string {
		return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(ehr.ID+":"+secret))}
	}
	published := map[string]string{}
	for _, c := range []apiCase{
		{op: "listConsents", query: "patient=rosa", status: 200},
		{op: "fileConsent", id: "copied", body: copied, status: 200},
		{op: "fileConsent", id: "copied", body: copied, header: map[string]string{"If-Match": `W/"1"`}, status: 200},
		{op: "withdrawConsent", id: "copied", status: 200},
		{op: "saveRelatedPerson", id: "rosa-elena", body: `{"resourceType":"RelatedPerson","id":"rosa-elena","active":true,"patient":{"reference":"Patient/rosa"}}`,
			header: map[string]string{"If-Match": `W/"1"`}, status: 200},
		{op: "showBrands", status: 200},
		{op: "publishBrands", body: brands, header: map[string]string{"If-Match": `W/"1"`}, status: 200,
			keep: func(r *kit.Response) { published["If-Match"] = r.Header.Get("ETag") }},
		{op: "withdrawBrands", header: published, status: 200},
		{op: "registerLaunch", body: `{"client_id":"` + client + `","patient":"rosa","need_patient_banner":true}`, header: basic(ehr.Secret), status: 201},
		{op: "registerLaunch", body: `{"client_id":"` + client + `"}`, header: basic("wrong"), status: 401},
		{op: "createLaunch", body: `{"client_id":"` + client + `","patient":"rosa","fhirContext":[{"reference":"Observation/1"}]}`, status: 201},
	} {
		d.call(t, c)
	}
	var opened struct{ Launches []struct{ ID string } }
	d.call(t, apiCase{op: "listLaunches", status: 200, keep: func(r *kit.Response) {
		if err := json.Unmarshal(r.Body, &opened); err != nil || len(opened.Launches) < 2 {
			t.Fatal(r, err)
		}
	}})
	d.call(t, apiCase{op: "endLaunch", id: opened.Launches[0].ID, status: 200})
	d.call(t, apiCase{op: "endLaunch", id: opened.Launches[0].ID, status: 409})
	d.call(t, apiCase{op: "endLaunch", id: "none", status: 404})
}

func idOf(t *testing.T, raw []byte) string {
	t.Helper()
	var r struct{ ID string }
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// peopleStories drives the records beside Consents, and what other systems tell
// about people.
func (d *driver) peopleStories(t *testing.T) {
	t.Helper()
	const flag = `{"resourceType":"Flag","status":"active","code":{"text":"reads lips"},"subject":{"reference":"Patient/rosa"}}`
	saved := map[string]string{}
	id, _ := d.helper(t)
	for _, c := range []apiCase{
		{op: "saveRecord", id: "reads-lips", body: flag, status: 200, keep: func(r *kit.Response) { saved["If-Match"] = r.Header.Get("ETag") }},
		{op: "saveRecord", id: "reads-lips", body: strings.Replace(flag, "active", "inactive", 1), header: saved, status: 200},
		{op: "saveRecord", id: "reads-lips", body: flag, header: saved, status: 412},
		{op: "readRecord", id: "reads-lips", status: 200},
		{op: "readRecord", id: "reads-lips", query: "version=1", status: 200},
		{op: "readRecord", id: "reads-lips", query: "version=3", status: 404},
		{op: "recordHistory", id: "reads-lips", status: 200},
		{op: "recordHistory", id: "none", status: 404},
		{op: "listRecords", query: "type=Flag&patient=rosa", status: 200},
		{op: "listRecords", query: "account=rosa", status: 200},
		{op: "listRecords", query: "focus=Consent/none", status: 200},
		{op: "listRecords", query: "type=Communication&account=demo-rosa", status: 200},
		{op: "listRecords", query: "type=Communication&account=none", status: 404},
		{op: "listRecords", query: "type=Communication&patient=rosa", status: 400},
		{op: "tellPeople", body: `{"kind":"custodian-changed","transfer":true}`, status: 200},
		{op: "tellPeople", body: `{"kind":"rain"}`, status: 400},
		{op: "tellProofing", id: id, body: `{"evidence":"ref-17"}`, status: 200},
		{op: "tellProofing", id: "none", body: `{"evidence":"ref-17"}`, status: 404},
	} {
		if res := d.call(t, c); c.op == "listRecords" && res.Status == http.StatusOK && !strings.Contains(string(res.Body), `"records"`) {
			t.Errorf("%s: %s", c.op, res.Body)
		}
	}
}

// helper gives the case of a person whose identity is not proofed yet.
func (d *driver) helper(t *testing.T) (id string, b *kit.Browser) {
	t.Helper()
	s := teller{d.server, t}
	hale, _ := s.clinicians()
	return s.listed(hale, "rosa", "Bea Brook", "bea")
}
