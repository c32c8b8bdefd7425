"""A desktop's notifications: a D-Bus session, and an org.freedesktop.Notifications server in it that
presses a button at once."""

import subprocess
import threading
from dataclasses import dataclass

from jeepney import HeaderFields, MessageType, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection
from jeepney.wrappers import DBusAddress

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"


@dataclass
class Notification:
    """A notification that a program shows."""

    summary: str
    body: str
    actions: dict[str, str]


class NotificationServer:
    """Runs until the end of the `with`. `choose` names the button; None closes the notification."""

    def __enter__(self) -> "NotificationServer":
        self.choose: str | None = None
        self.shown: list[Notification] = []
        self.bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self.bus.stdout.readline().strip()
        self.connection: DBusConnection = open_dbus_connection(self.address)
        self.connection.send_and_get_reply(message_bus.RequestName(NAME))
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.bus.terminate()
        self.bus.wait()
        self.bus.stdout.close()

    def _serve(self) -> None:
        while True:
            try:
                message = self.connection.receive()
            except (OSError, EOFError):
                return
            if message.header.message_type == MessageType.method_call:
                self._answer(message)

    def _answer(self, message) -> None:
        match message.header.fields[HeaderFields.member]:
            case "GetServerInformation":
                reply = new_method_return(message, "ssss", ("test", "test", "1", "1.2"))
                self.connection.send(reply)
            case "GetCapabilities":
                self.connection.send(new_method_return(message, "as", (["actions", "body"],)))
            case "Notify":
                _, _, _, summary, body, actions, _, _ = message.body
                buttons = dict(zip(actions[::2], actions[1::2]))
                self.shown.append(Notification(summary, body, buttons))
                number = len(self.shown)
                self.connection.send(new_method_return(message, "u", (number,)))
                if self.choose:
                    self._signal("ActionInvoked", "us", (number, self.choose))
                # 2: dismissed by the user.
                self._signal("NotificationClosed", "uu", (number, 2))
            case _:
                self.connection.send(new_method_return(message))

    def _signal(self, name: str, signature: str, body: tuple) -> None:
        emitter = DBusAddress(PATH, bus_name=NAME, interface=NAME)
        self.connection.send(new_signal(emitter, name, signature, body))
