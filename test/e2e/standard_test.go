package e2e

import (
	"strings"
	"testing"
)

// What the OASIS standards promise, by clients that know nothing of AWS.
func TestPlainClientsFindTheStandard(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--profile", "mqtt")
	lamp := s.register(t, "lamp", allowAll)

	both := "every_qos retained no_client_id sessions again_after_a_break overlapping wills shared"
	for version, steps := range map[string]string{
		"3.1.1": both,
		"5":     both + " what_travels_with_a_message subscription_options topic_aliases windows refusals",
	} {
		t.Run("paho/"+version, func(t *testing.T) {
			args := append([]string{script(t, "standard.py"), "--version", version}, lamp.sdkFlags(s, "t", "m")...)
			got := start(t, lamp.Dir, plainEnv(lamp.Dir), python(t), args...).succeed(t)
			if want := "ok " + strings.ReplaceAll(steps, " ", "\nok ") + "\n"; got != want {
				t.Errorf("it printed:\n%s\nwant:\n%s", got, want)
			}
		})
	}

	t.Run("mqtt.js", func(t *testing.T) {
		got := nodeProgram(t, s, lamp, "mqttjs_standard.cjs")
		want := lines("ok everyQoS", "ok overlappingIdentifiers", "ok aSessionGoesOn", "ok aGivenNameCanBeUsedAgain", "ok aliasesByThemselves", "ok aLastWill")
		if got != want {
			t.Errorf("it printed:\n%s\nwant:\n%s", got, want)
		}
	})

	t.Run("mosquitto", func(t *testing.T) {
		v5 := []string{"-V", "mqttv5", "-q", "2"}
		publish := append(v5, "-t", "m/1", "-m", "hello", "-r", "-D", "publish", "content-type", "text/plain", "-D", "publish", "user-property", "k", "v")
		mosquittoPub(t, s, lamp, publish...).succeed(t)
		// The last -F holds.
		sub := mosquittoSub(t, s, lamp, append(v5, "-t", "m/+", "-C", "1", "-F", "%t|%q|%r|%p|%C|%P",
			"-D", "subscribe", "subscription-identifier", "9")...)
		sub.succeed(t)
		sub.expect(t, "\nm/1|2|1|hello|text/plain|k:v\n")

		keep := append(v5, "-i", "mosquitto-keeps", "-c", "-x", "600", "-t", "m/queue")
		mosquittoSub(t, s, lamp, append(keep, "-E")...).succeed(t)
		mosquittoPub(t, s, lamp, append(v5, "-t", "m/queue", "-m", "waits")...).succeed(t)
		later := startMosquittoSub(t, s, lamp, append(keep, "-C", "1")...)
		later.succeed(t)
		later.expect(t, "\nm/queue|2|0|waits\n")
	})
}
