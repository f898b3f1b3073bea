package storetest

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// tenant is where every story takes place; other is one that must see none of
// it (D13).
const (
	tenant = "main"
	other  = "elsewhere"
)

// noon is the moment of the stories, with microseconds.
func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 123456000, time.UTC) }

// section is one part of the suite, run on a store of its own.
type section struct {
	name string
	run  func(t *testing.T, s *store.Store)
}

// rooms call every method of every room's port.
func rooms() []section {
	return []section{
		{"migrations", migrationRounds},
		{"persons", persons},
		{"factors", factors},
		{"authenticators", authenticators},
		{"sessions", sessions},
		{"devices of people", devicesOfPeople},
		{"failures in a row", inARow},
		{"failures", failures},
		{"related persons", relatedPersons},
		{"ways to a record", proxyCases},
		{"records of what was checked", evidenceRecords},
		{"withdrawn policies", withdrawnPolicies},
		{"consents", consents},
		{"consent history", consentHistory},
		{"consent epoch", consentEpoch},
		{"approvals of apps", approvals},
		{"clients", clients},
		{"launches", launches},
		{"grants", grants},
		{"codes", codes},
		{"refresh tokens", refreshTokens},
		{"delegations", delegations},
		{"devices", devices},
		{"standings", standings},
		{"assertions and revocations", assertions},
		{"pendings", pendings},
		{"requests that a browser carries", carriedRequests},
		{"codes that name their grant", namedCodes},
		{"pushed requests", pushedRequests},
		{"audit round trip", auditRoundTrip},
		{"audit filters", auditFilters},
		{"audit events of two forms", auditMixed},
		{"audit events of two forms, sealed", sealingMixed},
		{"audit batch", auditBatch},
		{"audit ledger reads", ledgerReads},
		{"audit ledger guard", ledgerGuard},
		{"audit sealing", sealing},
		{"audit sealing race", sealingRace},
		{"audit sealing under a clock that jumps", sealingJump},
		{"audit log keys", logKeyRows},
		{"audit log keys rotate", logKeysRotate},
		{"audit cursor", auditCursor},
		{"audit heartbeats", heartbeats},
		{"audit retention", retentionStory},
		{"audit hold wins", holdWins},
		{"audit export", exportStory},
		{"audit stream", streamStory},
		{"signing keys", signingKeys},
		{"secrets", secrets},
		{"notices", notices},
		{"tenants", tenantRows},
		{"brands", brandBundles},
		{"app states", appStates},
		{"operators", operators},
		{"tenants are apart", tenantsApart},
		{"texts that cannot be stored", strangeTexts},
	}
}

// promises are what a transaction, a race and a clock may not change.
func promises() []section {
	return []section{
		{"rollback leaves nothing", rollback},
		{"a refused audit event undoes the act", auditAborts},
		{"a panic undoes the act", panicAborts},
		{"a swallowed failure still fails", swallowedFailure},
		{"answers are not failures", answersCommit},
		{"a transaction sees its own writes", ownWrites},
		{"a cancelled transaction has no effect", cancelled},
		{"one winner per code", codeRace},
		{"who lost a race finds the winner's work", loserLooks},
		{"one winner per assertion", assertionRace},
		{"one winner per device", deviceRace},
		{"one winner per rotation, grant, launch, flow", guardRaces},
		{"one winner per version", versionRace},
		{"one winner per counter", factorRace},
		{"one secret for all", secretRace},
		{"failures count exactly", failureRace},
		{"many writers at once", manyWriters},
		{"leases", leases},
		{"one holder per lease", leaseRace},
		{"a queue of work", queue},
		{"many nodes share a queue", queueRace},
		{"changes that nodes must hear of", changes},
		{"memory", memory},
		{"memory of sessions", memoryOfSessions},
		{"flight records", flights},
		{"client uses", clientUses},
		{"permits", permits},
		{"no permit is given twice", permitRace},
		{"times", times},
		{"housekeeping", housekeeping},
		{"who waits is counted", waiting},
		{"jobs that nobody does are told", leaseFigures},
		{"events that wait to be sealed are told", sealFigures},
	}
}

// Run checks an engine. open gives an engine on an empty database of its own
// for each call.
func Run(t *testing.T, open func(t *testing.T) store.Engine) {
	for _, section := range slices.Concat(rooms(), keySections(), backups(), promises()) {
		t.Run(section.name, func(t *testing.T) {
			t.Parallel()
			section.run(t, migrated(t, open(t)))
		})
	}
	// What looks behind the ports.
	for name, run := range map[string]func(t *testing.T, e store.Engine){
		"migrations one at a time":              migrationSteps,
		"code goes on while tables grow":        expansion,
		"a node of the version before runs":     olderNodes,
		"a statement that fails leaves nothing": faultAtEach,
		"a lost race is run again":              raceAtEach,
		"keys are rotated under load":           rotation,
		"the log of an erased tenant":           erasedTenant,
		"a patient and a tenant are erased":     shredding,
		"acts on keys are recorded":             actsOnKeys,
		"a plain store is encrypted":            plainStore,
		"revocations go to the journal":         journaling,
		"a journal that is behind is told":      journalLag,
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t)) })
	}
}

// migrated puts a store on an engine and closes both when the test ends.
func migrated(t *testing.T, e store.Engine) *store.Store {
	t.Helper()
	return migratedWith(t, e, Options(t))
}

func migratedWith(t *testing.T, e store.Engine, o store.Options) *store.Store {
	t.Helper()
	s := store.New(e, o)
	t.Cleanup(func() { must(t, s.Close()) })
	must(t, s.Migrate(t.Context()))
	openKeys(t, s)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v (cause: %v)", err, errors.Unwrap(err))
	}
}

func got[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// equal compares whole values; nil and empty slices are the same to a store.
func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func fails(t *testing.T, err error, kind errs.Kind) {
	t.Helper()
	if !errs.Is(err, kind) {
		t.Fatalf("got error %v, want one of kind %s", err, kind)
	}
}
