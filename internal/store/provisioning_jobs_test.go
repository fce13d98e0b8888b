package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/provisioning"
	"thingd/internal/provisioning/manifest"
)

func TestImportsAndOutcomesKeepWhatIsPut(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	job := provisioning.ImportJob{
		ID: "1", ImportOrder: provisioning.ImportOrder{Name: "n", Format: manifest.Microchip, Signers: "s", Policy: "p", ThingType: "t",
			Group: "g", NameCase: provisioning.Upper, Certificates: "c", Source: provisioning.Source{Bucket: "b", Key: "k", RoleARN: "r"}},
		Status: provisioning.InProgress, Message: "m", Summary: provisioning.Summary{New: 1, Unchanged: 2, Failed: 3},
		Uploaded: 1 << 41, Size: 1 << 40, Done: 5, Created: at, Modified: at,
	}
	older := provisioning.ImportJob{ID: "2", Status: provisioning.Completed, Created: at.Add(-time.Hour), Modified: at}
	made := provisioning.Outcome{Line: 1, State: provisioning.Made, Text: `{"a":"ü"}`}
	broken := provisioning.Outcome{Line: 3, State: provisioning.Broken, Text: "y"}
	eachEngine(t, func(t *testing.T, db *DB) {
		update(t, db, func(tx provisioning.Tx) error {
			return firstError(tx.PutImportJob(job), tx.PutImportJob(job), tx.PutImportJob(older),
				tx.PutOutcome("1", broken), tx.PutOutcome("1", provisioning.Outcome{Line: 1, State: provisioning.Begun}), tx.PutOutcome("1", made),
				tx.PutOutcome("3", broken))
		})
		update(t, db, func(tx provisioning.Tx) error {
			same(t, job)(tx.ImportJob("1"))
			listed(t, []provisioning.ImportJob{job, older})(tx.ImportJobs("", provisioning.TaskKey{}, 5))
			listed(t, []provisioning.ImportJob{older})(tx.ImportJobs("", provisioning.TaskKey{Created: at, ID: "1"}, 5))
			listed(t, []provisioning.ImportJob{older})(tx.ImportJobs(provisioning.Completed, provisioning.TaskKey{}, 5))
			listed(t, []provisioning.Outcome{made, broken})(tx.Outcomes("1", "", 0, 5))
			listed(t, []provisioning.Outcome{broken})(tx.Outcomes("1", "", 1, 5))
			listed(t, []provisioning.Outcome{broken})(tx.Outcomes("1", provisioning.Broken, 0, 5))
			listed(t, []provisioning.Outcome{made})(tx.Outcomes("1", "", 0, 1))
			counts, err := tx.CountOutcomes("1")
			expect(t, counts, map[provisioning.OutcomeState]int{provisioning.Made: 1, provisioning.Broken: 1}, err)
			next, err := tx.NextJob("1")
			expect(t, next, "3", err)
			next, err = tx.NextJob("3")
			expect(t, next, "", err)
			return nil
		})
		update(t, db, func(tx provisioning.Tx) error {
			n, err := tx.DeleteOutcomes("1", 1)
			expect(t, n, 1, err)
			listed(t, []provisioning.Outcome{broken})(tx.Outcomes("1", "", 0, 5))
			n, err = tx.DeleteOutcomes("1", 5)
			expect(t, n, 1, err)
			err = tx.DeleteImportJob("1")
			absent(t)(tx.ImportJob("1"))
			return err
		})
	})
}

func expect[T any](t *testing.T, got, want T, err error) {
	t.Helper()
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestManifestsAreKeptInParts(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		update(t, db, func(tx provisioning.Tx) error {
			return firstError(tx.PutManifestPart("1", 2, []byte("two")), tx.PutManifestPart("1", 10, []byte{0, 255}), tx.PutManifestPart("1", 1, []byte("x")),
				tx.PutManifestPart("1", 1, []byte("one!")), tx.PutManifestPart("3", 1, []byte("z")))
		})
		update(t, db, func(tx provisioning.Tx) error {
			listed(t, []provisioning.ManifestPart{{Number: 1, Size: 4}, {Number: 2, Size: 3}, {Number: 10, Size: 2}})(tx.ManifestParts("1"))
			listed(t, []provisioning.ManifestPart{})(tx.ManifestParts("2"))
			for number, want := range map[int]int{1: 4, 2: 3, 3: 0} {
				size, err := tx.ManifestPartSize("1", number)
				expect(t, size, want, err)
			}
			same(t, []byte("one!"))(tx.ManifestPart("1", 1))
			same(t, []byte{0, 255})(tx.ManifestPart("1", 10))
			absent(t)(tx.ManifestPart("1", 3))
			for after, want := range map[string]string{"": "1", "1": "3", "3": ""} {
				next, err := tx.NextManifest(after)
				expect(t, next, want, err)
			}
			n, err := tx.DeleteManifestParts("1", 2)
			expect(t, n, 2, err)
			listed(t, []provisioning.ManifestPart{{Number: 10, Size: 2}})(tx.ManifestParts("1"))
			n, err = tx.DeleteManifestParts("1", 2)
			expect(t, n, 1, err)
			listed(t, []provisioning.ManifestPart{{Number: 1, Size: 1}})(tx.ManifestParts("3"))
			return nil
		})
	})
}
