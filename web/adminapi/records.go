package adminapi

import (
	"context"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/route"
)

func (a *API) recordRoutes() []route.Route {
	return []route.Route{
		call.On(a.Desk, call.Spec{
			Method: "GET", Path: "/admin/consents", ID: "listConsents", Owner: owner, PHI: route.Record,
			Summary: "Lists the Consents of the tenant, or those of one patient.",
		}, a.consents),
		call.On(a.Desk, call.Spec{
			Method: "PUT", Path: "/admin/consents/{id}", ID: "fileConsent", Owner: owner, PHI: route.Record, Match: true,
			Summary: "Files a Consent. It decides from then on.",
		}, a.fileConsent),
		call.On(a.Desk, call.Spec{
			Method: "POST", Path: "/admin/consents/{id}/withdraw", ID: "withdrawConsent", Owner: owner, PHI: route.Record,
			Summary: "Makes a Consent inactive. A grant that it records ends with it.",
		}, a.withdraw),
		call.On(a.Desk, call.Spec{
			Method: "PUT", Path: "/admin/related-persons/{id}", ID: "saveRelatedPerson", Owner: owner, PHI: route.Record, Match: true,
			Summary: "Saves who is related to a patient.",
		}, a.saveRelatedPerson),
	}
}

type consentQuery struct {
	Patient string `json:"patient,omitempty" jsonschema:"Id of the patient."`
}

type consentList struct {
	Consents []call.Resource `json:"consents" jsonschema:"FHIR R4 Consents."`
}

func (a *API) consents(ctx context.Context, in *call.In[consentQuery, route.Empty]) (consentList, error) {
	records, err := a.Consents.Search(ctx, consent.Filter{Tenant: a.Tenant, Patient: in.Query.Patient})
	out := consentList{Consents: []call.Resource{}}
	for _, rec := range records {
		out.Consents = append(out.Consents, rec.JSON)
	}
	return out, err
}

func (a *API) fileConsent(ctx context.Context, in *call.In[route.Empty, call.Resource]) (call.Resource, error) {
	version, err := in.Version()
	if err != nil {
		return nil, err
	}
	rec, err := a.Consents.File(ctx, consent.Filing{Tenant: a.Tenant, ID: in.ID, IfVersion: version, Raw: in.Body, Origin: in.By})
	return rec.JSON, err
}

func (a *API) withdraw(ctx context.Context, in *call.In[route.Empty, route.Empty]) (call.Resource, error) {
	rec, err := a.Connections.Withdraw(ctx, a.Tenant, in.ID, in.By)
	return rec.JSON, err
}

func (a *API) saveRelatedPerson(ctx context.Context, in *call.In[route.Empty, call.Resource]) (call.Resource, error) {
	version, err := in.Version()
	if err != nil {
		return nil, err
	}
	rp, err := a.Proxies.Save(ctx, proxy.Saving{Tenant: a.Tenant, ID: in.ID, IfVersion: version, Raw: in.Body, Origin: in.By})
	return rp.JSON, err
}
