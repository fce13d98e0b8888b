// Stand-in: a Wi-Fi that is joined at the second look.
#pragma once
#include "Arduino.h"

enum { WIFI_STA = 1, WL_CONNECTED = 3, WL_DISCONNECTED = 6 };

struct Address {
  String toString() const { return String{"192.0.2.7"}; }
};

struct WiFiRadio {
  int looks = 0;
  void mode(int) {}
  void begin(const char *, const char *) {}
  int status() { return looks++ < 1 ? WL_DISCONNECTED : WL_CONNECTED; }
  Address localIP() const { return Address{}; }
};
static WiFiRadio WiFi;
