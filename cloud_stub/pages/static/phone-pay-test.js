// The step of the provider `test`, where it is told to ask for one: nothing is to be typed.

export async function open({ place }) {
  place.remove();
  return { confirm: async () => null };
}
