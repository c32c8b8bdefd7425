"""Runs in the virtual machine: registers and signs in with python-fido2, through hidraw.

Arguments: the relying party id, and the key's PIN. Prints the result as one JSON object.
"""

import json
import sys

from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.hid import CtapHidDevice
from fido2.server import Fido2Server
from fido2.webauthn import PublicKeyCredentialRpEntity, PublicKeyCredentialUserEntity

rp_id, pin = sys.argv[1:]


class Owner(UserInteraction):
    """Types the PIN."""

    def request_pin(self, permissions, rd_id):
        return pin


[device] = CtapHidDevice.list_devices()
collector = DefaultClientDataCollector(f"https://{rp_id}")
client = Fido2Client(device, collector, user_interaction=Owner())
server = Fido2Server(PublicKeyCredentialRpEntity(name="Gate", id=rp_id), attestation="direct")

user = PublicKeyCredentialUserEntity(name="ada", id=b"ada", display_name="Ada")
options, state = server.register_begin(
    user, resident_key_requirement="required", user_verification="required"
)
registered = server.register_complete(state, client.make_credential(options.public_key))
[credential] = [registered.credential_data]

# The request names no account: the passkey does.
options, state = server.authenticate_begin(user_verification="required")
response = client.get_assertion(options.public_key).get_response(0)
server.authenticate_complete(state, [credential], response)
data = response.response.authenticator_data
print(
    json.dumps(
        {
            "product": device.descriptor.product_name,
            "versions": client.info.versions,
            "algorithm": credential.public_key.ALGORITHM,
            "user": response.response.user_handle.decode(),
            "verified": data.is_user_verified(),
            "present": data.is_user_present(),
        }
    )
)
