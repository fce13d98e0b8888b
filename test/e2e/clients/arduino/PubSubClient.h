// Stand-in: says what it is told to do; the first connect fails, and what is
// published comes back at the next loop.
#pragma once
#include "WiFiClientSecure.h"

class PubSubClient {
public:
  explicit PubSubClient(WiFiClientSecure &) {}
  void setServer(const char *host, uint16_t port) { std::printf("server %s %u\n", host, port); }
  bool setBufferSize(uint16_t bytes) { return std::printf("buffer %u\n", bytes) > 0; }
  void setCallback(void (*callback)(char *, byte *, unsigned int)) { received = callback; }
  bool connect(const char *id) {
    std::printf("connect %s\n", id);
    open = attempts++ > 0;
    return open;
  }
  bool connected() const { return open; }
  int state() const { return open ? 0 : -2; }
  bool subscribe(const char *topic, uint8_t qos) { return std::printf("subscribe %s %u\n", topic, qos) > 0; }
  bool publish(const char *name, const char *text) {
    std::printf("publish %s %s\n", name, text);
    topic = name;
    waiting = text;
    return true;
  }
  bool loop() {
    if (!waiting.empty()) {
      std::string payload = waiting;
      waiting.clear();
      received(&topic[0], reinterpret_cast<byte *>(&payload[0]), payload.size());
    }
    return open;
  }

private:
  void (*received)(char *, byte *, unsigned int) = nullptr;
  bool open = false;
  int attempts = 0;
  std::string topic, waiting;
};
