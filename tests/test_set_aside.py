"""Files that a device could not send: the operator and the owner see their number."""

import re
import time
from pathlib import Path

from api_caller import Person
from camera import Camera
from gateway_process import Gateway
from waiting import eventually

TWO_MONTHS_SECONDS = 60 * 86_400
#: The gateway writes a changed number once a minute.
NOTED_WITHIN_SECONDS = 150


def test_files_set_aside_are_counted_until_they_are_removed(tmp_path: Path):
    gateway = Gateway(tmp_path / "data", "--metrics-listen", "127.0.0.1:0")
    owner = Person.owner(gateway)
    camera = Camera(gateway, tmp_path / "camera")
    owner.act("maker.add", name="Acme", certificate=camera.maker)

    def everywhere() -> tuple[int, bool, bool, str]:
        [device] = owner.pages("/api/devices")
        page = owner.get(f"/devices/{device['id']}").expect_text(200)
        listed = owner.get("/devices").expect_text(200)
        shown = "1 file set aside"
        return (device["set_aside"], shown in page, shown in listed,
                gateway.counted()["hallway_device_files_set_aside"])

    try:
        camera.start()
        owner.act("device.claim", code=camera.code())
        camera.says(re.compile("^registered"))
        assert everywhere() == (0, False, False, "0")
        camera.put("old.txt", b"too old to be sent", time.time() - TWO_MONTHS_SECONDS)
        camera.says(re.compile("^old.txt is not sent"))
        eventually(lambda: everywhere() == (1, True, True, "1"))
        for file in (camera.pictures / "refused").iterdir():
            file.unlink()
        eventually(lambda: everywhere() == (0, False, False, "0"), NOTED_WITHIN_SECONDS)
        [device] = owner.pages("/api/devices")
        assert "No files set aside" in owner.get(f"/devices/{device['id']}").expect_text(200)
        # The other numbers of work that waits or fails are zero.
        told = gateway.counted()
        assert (told["hallway_farewells_waiting"], told["hallway_witnesses_failing"]) == ("0", "0")
    finally:
        camera.stop()
        assert gateway.stop() == 0
