package view

import (
	"strings"
	"testing"
)

func TestParts(t *testing.T) {
	members, err := Members([]byte(` {"a" : 1.0, "b\u0063":[ 2 ]} `))
	if err != nil || len(members) != 2 || members[1].Name != "bc" || string(members[0].Value) != "1.0" || string(members[1].Value) != "[ 2 ]" {
		t.Errorf("%+v %v", members, err)
	}
	items, err := Items([]byte(`[1, {"a":2},[]]`))
	if err != nil || len(items) != 3 || string(items[1]) != `{"a":2}` {
		t.Errorf("%s %v", items, err)
	}
	for _, bad := range []string{``, `[]`, `{"a":1,"a":2}`, `{"a"}`, `1`} {
		if m, err := Members([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, m)
		}
	}
	if _, err := Items([]byte(`{}`)); err == nil {
		t.Error("an object was taken for a list")
	}
}

func TestReferences(t *testing.T) {
	// SMART M-14: conditional references are found wherever they stand.
	refs, err := References([]byte(`{"resourceType":"Observation","subject":{"reference":"Patient?identifier=1"},
		"extension":[{"valueReference":{"reference":"Group/1"}}],"contained":[{"x":{"reference":"#a"}}],"reference":{"reference":"Patient/2"},"n":[null,true,1]}`))
	if err != nil || strings.Join(refs, " ") != "Patient?identifier=1 Group/1 #a Patient/2" {
		t.Errorf("%q %v", refs, err)
	}
	if _, err := References([]byte(`{"subject":{"reference":"a","reference":"b"}}`)); err == nil {
		t.Error("a repeated reference was taken")
	}
}
