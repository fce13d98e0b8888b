package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/provisioning"
	"thingd/internal/provisioning/template"
)

func TestProvisioningKeepsWhatIsPut(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	fleet := provisioning.Template{Name: "t1", Kind: template.Fleet, Description: "\u00fc", Enabled: true, RoleARN: "r",
		Hook: provisioning.Hook{PayloadVersion: "2020-04-01", TargetARN: "f"}, Default: 1, Last: 2, Created: at, Modified: at.Add(time.Hour)}
	versions := []provisioning.Version{{Template: "t1", ID: 1, Body: " {} ", Created: at}, {Template: "t1", ID: 2, Body: "x", Created: at}}
	token := provisioning.Token{Hash: "h", Certificate: "c", Expires: at, BusyUntil: at.Add(time.Minute)}
	task := provisioning.Task{ID: "1", TemplateBody: "{}", Bucket: "b", Key: "k", RoleARN: "r", Status: provisioning.InProgress,
		Message: "m", Successes: 3, Failures: 4, Percent: 5, InputVersion: "v", Created: at, Modified: at}
	older := provisioning.Task{ID: "2", Status: provisioning.Completed, Created: at.Add(-time.Hour), Modified: at}
	eachEngine(t, func(t *testing.T, db *DB) {
		update(t, db, func(tx provisioning.Tx) error {
			return firstError(tx.PutTemplate(fleet), tx.PutTemplate(fleet), tx.PutVersion(versions[1]), tx.PutVersion(versions[0]),
				tx.PutToken(token), tx.PutToken(token), tx.PutClaim("c", "t1", at), tx.PutTask(task), tx.PutTask(task), tx.PutTask(older))
		})
		update(t, db, func(tx provisioning.Tx) error {
			same(t, fleet)(tx.Template("t1"))
			same(t, versions[1])(tx.Version("t1", 2))
			same(t, token)(tx.Token("h"))
			same(t, "t1")(tx.Claim("c"))
			same(t, task)(tx.Task("1"))
			listed(t, versions)(tx.Versions("t1"))
			listed(t, []provisioning.Template{fleet})(tx.Templates("", 5))
			listed(t, []provisioning.Template{})(tx.Templates("t1", 5))
			listed(t, []provisioning.Token{})(tx.ExpiredTokens(at, 5))
			listed(t, []provisioning.Token{token})(tx.ExpiredTokens(at.Add(1*time.Millisecond), 5))
			listed(t, []provisioning.Task{task, older})(tx.Tasks("", provisioning.TaskKey{}, 5))
			listed(t, []provisioning.Task{older})(tx.Tasks("", provisioning.TaskKey{Created: at, ID: "1"}, 5))
			listed(t, []provisioning.Task{older})(tx.Tasks(provisioning.Completed, provisioning.TaskKey{}, 5))
			return firstError(tx.DeleteVersion("t1", 1), tx.DeleteToken("h"), tx.DeleteClaims(at.Add(time.Second)))
		})
		update(t, db, func(tx provisioning.Tx) error {
			listed(t, versions[1:])(tx.Versions("t1"))
			absent(t)(tx.Token("h"))
			absent(t)(tx.Claim("c"))
			return tx.DeleteTemplate("t1")
		})
		update(t, db, func(tx provisioning.Tx) error {
			absent(t)(tx.Template("t1"))
			listed(t, []provisioning.Version{})(tx.Versions("t1"))
			return nil
		})
	})
}

func TestProvisioningOfAnotherAccountIsInvisible(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		update(t, db, func(tx provisioning.Tx) error {
			return firstError(tx.PutTemplate(provisioning.Template{Name: "t1"}), tx.PutTask(provisioning.Task{ID: "1"}))
		})
		err := db.Provisioning("444455556666").View(context.Background(), func(tx provisioning.Tx) error {
			absent(t)(tx.Template("t1"))
			absent(t)(tx.Task("1"))
			listed(t, []provisioning.Template{})(tx.Templates("", 5))
			listed(t, []provisioning.Task{})(tx.Tasks("", provisioning.TaskKey{}, 5))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func update(t *testing.T, db *DB, fn func(provisioning.Tx) error) {
	t.Helper()
	if err := db.Provisioning(testAccount).Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func listed[T any](t *testing.T, want []T) func([]T, error) {
	t.Helper()
	return func(got []T, err error) {
		t.Helper()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("error %v (-want +got):\n%s", err, diff)
		}
	}
}

func absent(t *testing.T) func(any, bool, error) {
	t.Helper()
	return func(got any, found bool, err error) {
		t.Helper()
		if found || err != nil {
			t.Errorf("found %v, error %v; want nothing", got, err)
		}
	}
}
