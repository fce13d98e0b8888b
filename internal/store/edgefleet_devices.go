package store

import (
	"time"

	"thingd/internal/edgefleet"
)

const edgeDeviceColumns = "fleet_name, name, description, thing, registered, heartbeat, agent_version"

func scanEdgeDevice(row scanner) (d edgefleet.Device, err error) {
	return d, row(&d.Fleet, &d.Name, &d.Description, &d.Thing, timeColumn{&d.Registered}, timeColumn{&d.Heartbeat}, &d.AgentVersion)
}

func (e edgeTx) Device(fleet, name string) (edgefleet.Device, bool, error) {
	d, found, err := atMostOne(list(e.tx, "SELECT "+edgeDeviceColumns+" FROM edge_devices WHERE account = ? AND fleet = ? AND id = ?",
		[]any{e.account, edgefleet.Key(fleet), edgefleet.Key(name)}, scanEdgeDevice))
	if err != nil || !found {
		return d, found, err
	}
	all := []edgefleet.Device{d}
	err = e.addModels(all)
	return all[0], true, err
}

func (e edgeTx) PutDevice(d edgefleet.Device) error {
	_, err := e.tx.exec("INSERT INTO edge_devices (account, fleet, id, "+edgeDeviceColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, fleet, id) DO UPDATE SET description = excluded.description, thing = excluded.thing, "+
		"heartbeat = excluded.heartbeat, agent_version = excluded.agent_version",
		e.account, edgefleet.Key(d.Fleet), edgefleet.Key(d.Name), d.Fleet, d.Name, d.Description, d.Thing,
		toMillis(d.Registered), toMillis(d.Heartbeat), d.AgentVersion)
	return err
}

func (e edgeTx) PutModels(fleet, device string, models []edgefleet.Model) error {
	fleet, device = edgefleet.Key(fleet), edgefleet.Key(device)
	if _, err := e.tx.exec("DELETE FROM edge_models WHERE account = ? AND fleet = ? AND device = ?", e.account, fleet, device); err != nil {
		return err
	}
	for _, m := range models {
		_, err := e.tx.exec("INSERT INTO edge_models (account, fleet, device, name, version, sampled, inferred) VALUES (?, ?, ?, ?, ?, ?, ?)",
			e.account, fleet, device, m.Name, m.Version, toMillis(m.Sampled), toMillis(m.Inferred))
		if err != nil {
			return err
		}
	}
	return nil
}

func (e edgeTx) DeleteDevice(fleet, name string) error {
	if err := e.PutModels(fleet, name, nil); err != nil {
		return err
	}
	_, err := e.tx.exec("DELETE FROM edge_devices WHERE account = ? AND fleet = ? AND id = ?", e.account, edgefleet.Key(fleet), edgefleet.Key(name))
	return err
}

func (e edgeTx) Devices(q edgefleet.DeviceQuery) ([]edgefleet.Device, error) {
	query, args := edgeDeviceQuery(q)
	devices, err := list(e.tx, query, append([]any{e.account}, args...), scanEdgeDevice)
	if err != nil || len(devices) == 0 {
		return devices, err
	}
	return devices, e.addModels(devices)
}

func edgeDeviceQuery(q edgefleet.DeviceQuery) (string, []any) {
	query, args := "SELECT "+edgeDeviceColumns+" FROM edge_devices AS d WHERE account = ?", []any(nil)
	if q.Fleet != "" {
		query += " AND fleet = ? AND id > ?"
		args = append(args, edgefleet.Key(q.Fleet), q.AfterDevice)
	} else {
		query += " AND (fleet, id) > (?, ?)"
		args = append(args, q.AfterFleet, q.AfterDevice)
	}
	if q.Contains != "" {
		query += " AND id LIKE ? ESCAPE '!'"
		args = append(args, containing(edgefleet.Key(q.Contains)))
	}
	if !q.HeartbeatAfter.IsZero() {
		query += " AND heartbeat > ?"
		args = append(args, toMillis(q.HeartbeatAfter))
	}
	if q.Model != "" {
		query += " AND EXISTS (SELECT 1 FROM edge_models AS m WHERE m.account = d.account AND m.fleet = d.fleet AND m.device = d.id AND m.name = ?)"
		args = append(args, q.Model)
	}
	return query + " ORDER BY fleet, id LIMIT ?", append(args, q.Limit)
}

const modelsOfDevices = "SELECT fleet, device, name, version, sampled, inferred FROM edge_models " +
	"WHERE account = ? AND (fleet, device) >= (?, ?) AND (fleet, device) <= (?, ?) ORDER BY fleet, device, name, version"

// addModels reads the models of devices that are sorted by fleet and name. Where
// the devices were selected, models of others between them are read in vain.
func (e edgeTx) addModels(devices []edgefleet.Device) error {
	first, last := devices[0], devices[len(devices)-1]
	i := 0
	return e.tx.each(modelsOfDevices, []any{e.account, edgefleet.Key(first.Fleet), edgefleet.Key(first.Name),
		edgefleet.Key(last.Fleet), edgefleet.Key(last.Name)}, func(row func(...any) error) error {
		var fleet, device string
		var m edgefleet.Model
		if err := row(&fleet, &device, &m.Name, &m.Version, timeColumn{&m.Sampled}, timeColumn{&m.Inferred}); err != nil {
			return err
		}
		for i < len(devices)-1 && before(devices[i], fleet, device) {
			i++
		}
		if d := &devices[i]; edgefleet.Key(d.Fleet) == fleet && edgefleet.Key(d.Name) == device {
			d.Models = append(d.Models, m)
		}
		return nil
	})
}

func before(d edgefleet.Device, fleet, device string) bool {
	if own := edgefleet.Key(d.Fleet); own != fleet {
		return own < fleet
	}
	return edgefleet.Key(d.Name) < device
}

func (e edgeTx) CountDevices(fleet string, since time.Time) (all, alive int64, err error) {
	_, err = e.tx.get("SELECT COUNT(*), COUNT(CASE WHEN heartbeat >= ? THEN 1 END) FROM edge_devices WHERE account = ? AND fleet = ?",
		[]any{toMillis(since), e.account, edgefleet.Key(fleet)}, &all, &alive)
	return all, alive, err
}

// countsMax bounds the rows of a report.
const countsMax = 1000

func (e edgeTx) CountAgents(fleet string) ([]edgefleet.AgentCount, error) {
	return list(e.tx, "SELECT agent_version, COUNT(*) FROM edge_devices WHERE account = ? AND fleet = ? AND agent_version <> '' "+
		"GROUP BY agent_version ORDER BY agent_version LIMIT ?", []any{e.account, edgefleet.Key(fleet), countsMax},
		func(row scanner) (a edgefleet.AgentCount, err error) { return a, row(&a.Version, &a.Count) })
}

func (e edgeTx) CountModels(fleet string, since time.Time) ([]edgefleet.ModelCount, error) {
	ms := toMillis(since)
	return list(e.tx, "SELECT m.name, m.version, COUNT(CASE WHEN d.heartbeat < ? THEN 1 END), COUNT(CASE WHEN d.heartbeat >= ? THEN 1 END), "+
		"COUNT(CASE WHEN d.heartbeat >= ? AND m.inferred >= ? THEN 1 END), COUNT(CASE WHEN d.heartbeat >= ? AND m.sampled >= ? THEN 1 END) "+
		"FROM edge_models AS m JOIN edge_devices AS d ON d.account = m.account AND d.fleet = m.fleet AND d.id = m.device "+
		"WHERE m.account = ? AND m.fleet = ? GROUP BY m.name, m.version ORDER BY m.name, m.version LIMIT ?",
		[]any{ms, ms, ms, ms, ms, ms, e.account, edgefleet.Key(fleet), countsMax},
		func(row scanner) (m edgefleet.ModelCount, err error) {
			return m, row(&m.Name, &m.Version, &m.Offline, &m.Connected, &m.Active, &m.Sampling)
		})
}
